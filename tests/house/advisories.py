"""Known vulnerabilities of the locked packages, by pip-audit; where its service cannot be reached, says so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import requests

LOCK = Path(__file__).resolve().parents[2] / "requirements" / "dev.txt"


def reachable() -> bool:
    """Whether the advisory service knows one of our packages; without it the other questions are pointless."""
    version = re.search(r"^flask==(\S+)", LOCK.read_text(), re.MULTILINE)
    address = f"https://pypi.org/pypi/flask/{version[1] if version else ''}/json"
    try:
        return requests.get(address, timeout=10).status_code == 200
    except requests.RequestException:
        return False


def main() -> int:
    """Exit status: 1 when a package with an advisory is locked; 0 when none is or nobody could be asked."""
    if not reachable():
        print("the advisory service cannot be reached: nothing was compared")
        return 0
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--disable-pip",
        "--require-hashes",
        "--progress-spinner=off",
    ]
    command += ["--timeout", "10", "--format", "json", "-r", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"pip-audit gave no answer: {done.stderr.strip()[-400:]}")
        return 0
    for package in found:
        for advisory in package.get("vulns", ()):
            fixed = ", ".join(advisory.get("fix_versions", ())) or "no release yet"
            print(f"{package['name']} {package.get('version')}: {advisory['id']}, fixed in {fixed}")
    asked = sum("vulns" in package for package in found)
    print(f"{asked} of {len(found)} packages compared with the advisories")
    return 1 if any(package.get("vulns") for package in found) else 0


if __name__ == "__main__":
    sys.exit(main())
