"""What shells read to complete our words, and the answers that they get at every TAB.

A script hands over the line as far as it is typed, since shells part its words each in their own
way, and gets whole words, one a line. Only bash, which parts them at `=` and `:` too and puts down
what it gets as it is, gets what belongs behind the last break, with what is special quoted.
"""

import os
import re
import shlex
from collections.abc import Callable
from typing import Any

from typer import _completion_shared as typers
from typer._completion_classes import BashComplete, completion_init
from typer.completion import shell_complete

from cvtasks.errors import UsageError, did_you_mean

ASKED = "_CVTASKS_COMPLETE"
"""The variable by which a script asks: the shell, or Typer's own words for it."""

_PROGRAM = "cvtasks"

_BASH = r"""
_cvtasks_completion() {
    local answer answers
    answers=$(_CVTASKS_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    COMPREPLY=()
    while IFS= read -r answer; do
        [[ -n $answer ]] && COMPREPLY+=("$answer")
    done <<< "$answers"
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o default -F _cvtasks_completion cvtasks
"""

_ZSH = r"""
#compdef cvtasks

_cvtasks_completion() {
    local line="${(j: :)words[1,CURRENT-1]} ${QIPREFIX}${IPREFIX}${PREFIX}"
    local -a answers keys
    answers=("${(@f)$(_CVTASKS_COMPLETE=zsh $words[1] "$line" 2>/dev/null)}")
    keys=("${(@M)answers:#*=}")
    answers=("${(@)answers:#*=}")
    answers=("${(@)answers:#}")
    if (( $#answers + $#keys )); then
        (( $#answers )) && _describe cvtasks answers
        (( $#keys )) && _describe cvtasks keys -S ''
    else
        compset -P '*='
        _files
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _cvtasks_completion "$@"
else
    compdef _cvtasks_completion cvtasks
fi
"""

_FISH = r"""
function __cvtasks_completion
    set -g __cvtasks_answers (env _CVTASKS_COMPLETE=fish cvtasks (commandline -cp) 2>/dev/null)
    test -n "$__cvtasks_answers"
end

complete --command cvtasks --no-files --condition __cvtasks_completion \
    --arguments '$__cvtasks_answers'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""Shell → the script that it reads. PowerShell has Typer's."""

_SHELLS = (*SCRIPTS, "powershell", "pwsh")
_PLAIN = re.compile(r"([^\w@%+=:,./-])")


def show(shell: str) -> None:
    """Print the script of a shell; of the one that we are called from where it is "auto".

    Raises:
        UsageError: there is no such shell, or it is not to be seen which one it is.
    """
    print(_script(_known("--show-completion", shell)))


def install(shell: str) -> None:
    """Write the script of a shell to where that looks for it, and say where this is.

    Raises:
        UsageError: there is no such shell, or it is not to be seen which one it is.
    """
    found = _known("--install-completion", shell)
    typers._completion_scripts.update(SCRIPTS)
    _, path = typers.install(found, _PROGRAM, ASKED)
    print(f"{found} completion installed in {path}. It takes effect in the next terminal.")


def answer(command: Any, given: list[str]) -> int:
    """Print what completes a line; returns the exit code.

    Args:
        command: the whole program.
        given: the line as far as it is typed, and for bash the word that an answer takes the place
            of.
    """
    shell = os.environ[ASKED]
    if shell not in SCRIPTS:
        completion_init()
        numbered = os.environ.get("COMP_CWORD", "").isdecimal() and "COMP_WORDS" in os.environ
        if shell == "complete_bash" and not numbered:
            return 0  # nothing is typed
        return shell_complete(command, {}, _PROGRAM, ASKED, shell)
    words, quote = parted(given[0] if given else "")
    *before, word = words[1:] or [""]
    start = word[: word.index("=") + 1] if word[:1] == "-" and "=" in word else ""
    write = _written(shell, word, quote, given[1] if given[1:] else word)
    asking = BashComplete(command, {}, _PROGRAM, ASKED)
    for one in asking.get_completions(before, word):
        if "\n" not in one.value:
            print(write(start + one.value, one.help or ""))
    return 0


def parted(line: str) -> tuple[list[str], str]:
    r"""The words of a line that is not finished, the last as far as it is typed, and the quotation
    mark that is open there.

    >>> parted('cvtasks evaluate my\\ model "runs/my r')
    (['cvtasks', 'evaluate', 'my model', 'runs/my r'], '"')
    >>> parted("cvtasks evaluate ")
    (['cvtasks', 'evaluate', ''], '')
    """
    reader = shlex.shlex(f"{line}x", posix=True)  # the x is what would be typed next
    reader.whitespace_split, reader.commenters = True, ""
    words, quote = list[str](), ""
    try:
        words.extend(reader)
    except ValueError:  # a quotation mark is open
        words.append(reader.token)
        quote = str(reader.state)  # type: ignore[attr-defined]  # typeshed lacks it
    return [*words[:-1], words[-1][:-1]], quote


def _written(shell: str, word: str, quote: str, part: str) -> Callable[[str, str], str]:
    """How an answer and its meaning are written for a shell.

    Args:
        word: the last one, as far as it is typed.
        quote: the quotation mark that is open in it.
        part: the end of it that the answer takes the place of, as it was typed.
    """
    if shell != "bash":
        sign = {"zsh": ":", "fish": "\t"}[shell]

        def whole(text: str, meaning: str) -> str:
            text = text.replace(":", r"\:") if sign == ":" else text
            return f"{text}{sign}{' '.join(meaning.split())}" if meaning else text

        return whole
    behind = len(word) - len(parted(quote + part)[0][-1])
    marks = {"": (_PLAIN, r"\\\1"), "'": (re.compile("'"), r"'\\''")}
    special, instead = marks.get(quote, (re.compile(r'([\\"$`])'), r"\\\1"))
    return lambda text, _: special.sub(instead, text[behind:])


def _script(shell: str) -> str:
    """The script of a shell."""
    if shell in SCRIPTS:
        return SCRIPTS[shell].strip()
    return typers.get_completion_script(prog_name=_PROGRAM, complete_var=ASKED, shell=shell)


def _known(option: str, shell: str) -> str:
    """The shell that is meant."""
    found = (typers._get_shell_name() or "") if shell == "auto" else shell
    if found in _SHELLS:
        return found
    if shell == "auto":
        raise UsageError(
            f"`{option}` must know your shell; got {found or 'no sign of one'}. Name one: "
            f"{', '.join(_SHELLS)}"
        )
    raise UsageError(
        f"`{option}` must be a shell that it has a script for; got {shell!r}. "
        f"{did_you_mean(shell, _SHELLS)}"
    )
