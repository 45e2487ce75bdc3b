"""What a TAB does in a shell, and how the shell comes to it."""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cvtasks
from cvtasks.cli import shells
from cvtasks.cli.shells import SCRIPTS, parted

_BASH = r"""
eval "$(cvtasks --show-completion bash)"
_seen() { printf '\n<%s>\n' "$READLINE_LINE"; }
bind -x '"\C-xp": _seen'
printf '\n<ready>\n'
"""
_ZSH = r"""
autoload -Uz compinit && compinit -u -D
eval "$(cvtasks --show-completion zsh)"
_seen() { printf '\n<%s>\n' "$BUFFER" }
zle -N _seen && bindkey '^Xp' _seen
printf '\n<ready>\n'
"""
_STARTS = {"bash": ("--noprofile", "--rcfile", ".zshrc", "-i"), "zsh": ("-d", "-i")}


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment in which a shell finds `cvtasks`, in a folder with some runs."""
    if sys.platform == "win32":
        pytest.skip("Windows has no pty")
    found = tmp_path / "bin" / "cvtasks"
    found.parent.mkdir()
    found.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cvtasks "$@"\n')
    found.chmod(0o755)
    for name in ("my run", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "recipe.toml").write_text('classes = ["cat", "dog"]')
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
        "INPUTRC": "/dev/null",
        "PATH": f"{found.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(cvtasks.__file__).parents[1]),
        "TERM": "dumb",
    }


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, shell: str, place: Path, environment: dict[str, str]) -> None:
        pty = pytest.importorskip("pty")
        (place / ".zshrc").write_text({"bash": _BASH, "zsh": _ZSH}[shell])
        self._ours, theirs = pty.openpty()
        self._shell = subprocess.Popen(
            [shell, *_STARTS[shell]],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=place,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)

    def seen(self) -> str:
        """What the shell says that it sees."""
        text, last = "", time.monotonic() + 60
        while not (found := re.search(r"\n<(.*)>\r?\n", text)):
            assert time.monotonic() < last, f"the shell has not answered; it wrote {text!r}"
            if select.select([self._ours], [], [], 1)[0]:
                text += os.read(self._ours, 65536).decode(errors="replace")
        return found[1]

    def tab(self, line: str) -> str:
        """What a line is behind a TAB."""
        os.write(self._ours, f"\x15{line}\t\x18p".encode())
        return self.seen()

    def close(self) -> None:
        """Leave."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._ours)


_TABS = {
    "train detect --set train.opt": "train detect --set train.optimizer=",
    "train detect --set train.optimizer=a": "train detect --set train.optimizer=adamw ",
    "evaluate runs/m": r"evaluate runs/my\ run ",
    'evaluate "runs/m': 'evaluate "runs/my run" ',
}
_MORE_TABS = {
    "train detect --weights=im": "train detect --weights=imagenet ",
    r"evaluate --model=runs/my\ r": r"evaluate --model=runs/my\ run ",
}


@pytest.mark.parametrize(("shell", "tabs"), [("bash", _TABS | _MORE_TABS), ("zsh", _TABS)])
def test_a_tab_in_a_terminal(
    program: dict[str, str], tmp_path: Path, shell: str, tabs: dict[str, str]
) -> None:
    """What pty gives, and a shell makes of it."""
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    terminal = Terminal(shell, tmp_path, program)
    try:
        assert terminal.seen() == "ready"
        found = {line: terminal.tab(f"cvtasks {line}") for line in tabs}
    finally:
        terminal.close()
    assert found == {line: f"cvtasks {becomes}" for line, becomes in tabs.items()}


def test_fish_completes_whole_words(program: dict[str, str], tmp_path: Path) -> None:
    fish = shutil.which("fish") or pytest.skip("there is no fish")
    lines = ("train detect --set train.opt", 'evaluate "runs/m', "train detect --weights=im")
    asked = "; ".join(f"complete -C 'cvtasks {line}'" for line in lines)
    done = subprocess.run(
        [fish, "--no-config", "-c", f"cvtasks --show-completion fish | source; {asked}"],
        capture_output=True,
        cwd=tmp_path,
        env=program,
        check=True,
    )
    assert done.stdout.decode().splitlines() == [
        "train.optimizer=",
        "runs/my run",
        "--weights=imagenet",
    ]


def test_a_line_is_parted_as_shells_do() -> None:
    assert parted("") == ([""], "")
    assert parted("a  b") == (["a", "b"], "")
    assert parted("a 'b c") == (["a", "b c"], "'")
    assert parted("a b\\ ") == (["a", "b "], "")
    assert parted("a b\\") == (["a", "b"], "")
    assert parted('a "" b=c:') == (["a", "", "b=c:"], "")


@pytest.mark.parametrize("told", [{}, {"COMP_WORDS": "cvtasks", "COMP_CWORD": "x"}])
def test_who_asks_without_a_line_gets_nothing(run_python, told: dict[str, str]) -> None:
    done = run_python("-m", "cvtasks", env={"_CVTASKS_COMPLETE": "complete_bash", **told})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_shell_that_is_named_is_meant(cli, tmp_path, monkeypatch, shell: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    script = SCRIPTS[shell].strip()
    shown = (0, f"{script}\n", "")
    assert cli("--show-completion", shell) == shown == cli(f"--show-completion={shell}")
    code, said, _ = cli("--install-completion", shell)
    written = Path(said.partition(" installed in ")[2].partition(". It")[0])
    assert (code, written.read_text().strip()) == (0, script)
    assert tmp_path in written.parents


def test_powershell_has_a_script(cli) -> None:
    assert "Register-ArgumentCompleter" in cli("--show-completion", "pwsh")[1]


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_a_shell_that_is_not_known_is_refused(cli, monkeypatch, option: str) -> None:
    code, shown, said = cli(option, "bahs")
    assert (code, shown) == (2, "")
    assert f"`{option}` must be a shell" in said
    assert 'Did you mean "bash"?' in said
    for here in (None, "xonsh"):
        monkeypatch.setattr(shells.typers, "_get_shell_name", lambda here=here: here)
        code, shown, said = cli(option)
        assert (code, shown) == (2, "")
        assert "must know your shell" in said
        assert "bash, zsh, fish" in said


def test_the_shell_here_is_meant_where_none_is_named(cli, monkeypatch) -> None:
    monkeypatch.setattr(shells.typers, "_get_shell_name", lambda: "zsh")
    assert cli("--show-completion")[1].startswith("#compdef")
