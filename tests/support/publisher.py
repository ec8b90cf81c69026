"""The OpenPGP keys of somebody who publishes rootfs."""
import os
import re
import subprocess


class Publisher:
    """publisher = Publisher(home, "publisher", …): keys of HOME's user. environment is what gpg needs, for
    Home.run; keys has {name: fingerprint}, keyrings has {name: file with the public key}."""

    def __init__(self, home, *names):
        self.home = home
        self.environment = {"GNUPGHOME": home.make_dir(f"{home.dir}/gnupg")}
        os.chmod(self.environment["GNUPGHOME"], 0o700)
        self.keys, self.keyrings = {}, {}
        for name in names:
            self.keyrings[name] = f"{home.dir}/{name}.gpg"
            self._gpg("--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never")
            listed = self._gpg("--list-keys", "--with-colons", name).decode()
            self.keys[name] = re.search(r"^fpr:+(\w+):", listed, re.M).group(1)
            self._gpg("--output", self.keyrings[name], "--export", name)
        self.end_agent()

    def _gpg(self, *words, data=b""):
        words = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words]
        return subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True, cwd=self.home.dir,
                              env={**self.home.environment(), **self.environment},
                              **self.home.user.switch()).stdout

    def end_agent(self):
        """gpg starts an agent, which would count as left behind."""
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False,
                       env={**self.home.environment(), **self.environment}, **self.home.user.switch())

    def sign(self, text, name):
        signed = self._gpg("--local-user", self.keys[name], "--digest-algo", "SHA512", "--clear-sign",
                           data=text.encode())
        self.end_agent()
        return signed

    def publish(self, to, *words, key=None, **more):
        """Runs rootlet publish; KEY is a name or a fingerprint, by default the first one."""
        key = key or next(iter(self.keys))
        outcome = self.home.run("publish", "--to", to, "--key", self.keys.get(key, key), *words,
                                environment=self.environment, **more)
        self.end_agent()
        return outcome
