/* The commands. Each is defined in a file of its own, and main.c lists them. */
#pragma once

#include "frontend/cli/report.h"
#include "frontend/commands/commandline.h"
#include "frontend/commands/option_table.h"

extern const struct command create_command, check_command, list_command, delete_command;
extern const struct command install_command, uninstall_command, upgrade_command;
extern const struct command shell_command, chroot_command, run_command, fstests_command;
extern const struct command runs_command, profiles_command, cache_command, doctor_command;
extern const struct command policy_command, audit_command, mcp_command, deps_command, lock_command;
extern const struct command bisect_command, configurations_command, kconfig_command;
extern const struct command export_command, publish_command, verify_command;
