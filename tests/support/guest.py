"""What tests that boot guests share."""
import re

from . import tap

# Seconds that a busy host may take to boot an emulated guest and run a test in it.
PATIENCE = 1200

# Drivers of emulated devices that no test uses. Loading them takes a sixth of an emulated boot.
_UNUSED = ("ahci", "sr_mod", "sg", "psmouse", "kvm_intel", "kvm_amd", "i2c_i801", "lpc_ich", "iTCO_wdt", "pcspkr",
           "bochs", "evdev", "joydev", "intel_rapl_msr", "rapl", "i6300esb", "serio_raw", "button", "qemu_fw_cfg",
           "powernow_k8", "acpi_cpufreq")
# Options of run and fstests that make an emulated guest cheaper: a boot takes 10 s of a processor in place of 13.
# The second processor of a guest is emulated while it waits for the first. On a busy host a guest's kernel would
# complain that RCU stalls.
QUICK = ["--cpus", "1", "--append", "mitigations=off rcupdate.rcu_cpu_stall_suppress=1 "
         f"modprobe.blacklist={','.join(_UNUSED)}"]


def pass_on(text, prefix):
    """Reports the cases that a test program has printed in a guest as cases of this one. Returns how many, or 0 if
    they are not all that it meant to report."""
    cases = re.findall(r"^(ok|not ok) \d+ - (.*)\n((?:#.*\n)*)", text, re.M)
    for verdict, what, notes in cases:
        what, _, why = what.partition(" # SKIP ")
        if why:
            tap.skip(f"{prefix}: {what}", why)
        else:
            tap.report(verdict == "ok", f"{prefix}: {what}", notes)
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    return len(cases) if plan and int(plan.group(1)) == len(cases) else 0
