"""The gateway's own source with guards that can be switched off, for the controls.

It is compiled from what is shipped, by Go's overlay of files, with a word put before each guard; a guard that
no longer stands exactly once in the source is an error, so that the controls keep to the gateway as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cluster import binaries, toolchain
from cluster.commands import run

PASSWORD, CREDENTIALS, EXPIRY, TUNNELS = "password", "credentials", "expiry", "nothing but CONNECT"
HEADERS = "dropped headers, no proxy beyond"
VARIABLE = "WITHOUT"


@dataclass(frozen=True)
class Switch:
    """Where a guard stands, and what it says with the switch."""

    guard: str
    file: str
    guarded: str
    switched: str


SWITCHES = (
    Switch(PASSWORD, "main.go", "if !hmac.Equal", "if {on} && !hmac.Equal"),
    Switch(
        CREDENTIALS,
        "main.go",
        "\tif !ok {{\n",
        '\tif !ok && !({on}) {{\n\t\treturn "binance.Private", nil\n\t}}\n\tif !ok {{\n',
    ),
    Switch(EXPIRY, "withdrawal.go", "if time.Unix(", "if {on} && time.Unix("),
    Switch(
        TUNNELS,
        "main.go",
        "case request.Method == http.MethodConnect:",
        "case request.Method == http.MethodConnect || !({on}):",
    ),
    Switch(
        HEADERS,
        "main.go",
        'request.Header = http.Header{{"Proxy-Authorization": {{credentials}}}}',
        'if {on} {{\n\trequest.Header = http.Header{{"Proxy-Authorization": {{credentials}}}}\n}}',
    ),
    Switch(HEADERS, "main.go", '|| args.ConnectProxyHost != ""', '|| {on} && args.ConnectProxyHost != ""'),
)


def build(folder: Path) -> Path:
    """The executable; the variable `WITHOUT` of its environment names the guard that is off."""
    program = binaries.PROGRAMS["egress-gateway"]
    module = binaries.MODULES / program.module
    texts = {switch.file: (module / switch.file).read_text() for switch in SWITCHES}
    for switch in SWITCHES:
        on = f'os.Getenv("{VARIABLE}") != "{switch.guard}"'
        guarded = switch.guarded.format(on=on)
        assert texts[switch.file].count(guarded) == 1, f"{guarded!r} is not once in {switch.file}"
        texts[switch.file] = texts[switch.file].replace(guarded, switch.switched.format(on=on))
    for name, text in texts.items():
        (folder / name).write_text(text)
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(module / name): str(folder / name) for name in texts}}))
    go, *words = binaries.build_command(program, toolchain.go(), folder)
    command = [go, words[0], f"-overlay={overlay}", *words[1:]]
    run(command, cwd=module, environment=toolchain.build_environment())
    return folder / program.name
