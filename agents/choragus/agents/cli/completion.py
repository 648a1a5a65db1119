"""`choragus completion`: a script by which a shell completes commands, options and files."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from importlib import import_module
from typing import NamedTuple

from .command import Commands, telling
from .exit import Exit

SHELLS = ("bash", "zsh", "fish")


class Word(NamedTuple):
    """A command, for a shell: what it is for, its options with their help, and the values that some of them take."""

    name: str
    summary: str
    options: dict[str, str]
    choices: dict[str, tuple[str, ...]]
    valued: tuple[str, ...]
    first: tuple[str, ...]
    """What the first argument may be; nothing: a file."""


def declare(commands: Commands) -> None:
    """`completion`."""
    one = telling(
        commands,
        "completion",
        tell,
        "Print a script by which your shell completes commands, options, the values of some, and files. It is\n"
        "static: source it where your shell begins.",
        "choragus completion bash > ~/.local/share/bash-completion/completions/choragus\n"
        '  choragus completion zsh > "${fpath[1]}/_choragus"\n'
        "  choragus completion fish > ~/.config/fish/completions/choragus.fish",
    )
    one.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def tell(asked: Namespace) -> Exit:
    """Print the script of a shell."""
    every: ArgumentParser = import_module(f"{__package__}.parser").parser()
    words = _words(every)
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[asked.shell](words), end="")
    sys.stdout.flush()
    return Exit.OK


def _words(every: ArgumentParser) -> list[Word]:
    """The commands, from the parser that reads them."""
    (commands,) = (one for one in every._actions if isinstance(one, _SubParsersAction))
    summaries = {one.dest: one.help or "" for one in commands._choices_actions}
    return [_word(name, summaries.get(name, ""), one) for name, one in commands.choices.items()]


def _word(name: str, summary: str, one: ArgumentParser) -> Word:
    options = {text: one_action.help or "" for one_action in one._actions for text in one_action.option_strings}
    valued = [one_action for one_action in one._actions if one_action.option_strings and one_action.nargs != 0]
    choices = {text: _choices(each) for each in valued for text in each.option_strings if each.choices}
    positional = [one_action for one_action in one._actions if not one_action.option_strings]
    first = _choices(positional[0]) if positional and positional[0].choices else ()
    return Word(name, summary, options, choices, tuple(text for each in valued for text in each.option_strings), first)


def _choices(action: Action) -> tuple[str, ...]:
    return tuple(map(str, action.choices or ()))


def _bash(words: list[Word]) -> str:
    cases = [_bash_case(one) for one in words]
    names = " ".join(one.name for one in words)
    return f"""\
# bash completion of choragus
_choragus() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{names} --help --version" -- "$cur"))
        return
    fi
    local options="" first="" valued=""
    case "${{COMP_WORDS[1]}}" in
{"".join(cases)}        *) return ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    elif [[ " $valued " == *" $prev "* ]]; then
        return
    elif [[ $COMP_CWORD -eq 2 && -n $first ]]; then
        COMPREPLY=($(compgen -W "$first" -- "$cur"))
    else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
    fi
}}
complete -F _choragus choragus
"""


def _bash_case(one: Word) -> str:
    lines = [f'            options="{" ".join(one.options)}"', f'            valued="{" ".join(one.valued)}"']
    lines += [f'            first="{" ".join(one.first)}"'] if one.first else []
    for option, values in one.choices.items():
        chosen = f'COMPREPLY=($(compgen -W "{" ".join(values)}" -- "$cur")); return'
        lines.append(f"            if [[ $prev == {option} ]]; then {chosen}; fi")
    body = "\n".join(lines)
    return f"        {one.name})\n{body}\n            ;;\n"


def _zsh(words: list[Word]) -> str:
    listed = "\n".join(f"        {_quoted(f'{one.name}:{one.summary}')}" for one in words)
    cases = "\n".join(_zsh_case(one) for one in words)
    return f"""\
#compdef choragus
_choragus() {{
    local -a commands
    commands=(
{listed}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command="${{words[2]}}"
    shift words
    (( CURRENT-- ))
    case "$command" in
{cases}
    esac
}}
if [ "$funcstack[1]" = "_choragus" ]; then
    _choragus "$@"
else
    compdef _choragus choragus
fi
"""


def _zsh_case(one: Word) -> str:
    specs = []
    for option, help in one.options.items():
        about = help.replace("[", "(").replace("]", ")").replace(":", " ")
        value = (
            f":value:({' '.join(one.choices[option])})" if option in one.choices else ":value:" * (option in one.valued)
        )
        specs.append(_quoted(f"{option}[{about}]{value}"))
    first = _quoted(f"1:what:({' '.join(one.first)})") if one.first else "'1:file:_files'"
    return f"        {one.name}) _arguments {' '.join(specs)} {first} '*:: :_files' ;;"


def _fish(words: list[Word]) -> str:
    lines = ["# fish completion of choragus", "complete -c choragus -n __fish_use_subcommand -f"]
    for one in words:
        lines.append(f"complete -c choragus -n __fish_use_subcommand -f -a {one.name} -d {_quoted(one.summary)}")
        here = f"complete -c choragus -n '__fish_seen_subcommand_from {one.name}'"
        for option, help in one.options.items():
            name = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            values = (
                f" -x -a {_quoted(' '.join(one.choices[option]))}"
                if option in one.choices
                else " -r" * (option in one.valued)
            )
            lines.append(f"{here} {name}{values} -d {_quoted(help)}")
        if one.first:
            lines.append(f"{here} -f -a {_quoted(' '.join(one.first))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """The text as one word of a shell; `shlex` leaves some unquoted that fish reads otherwise."""
    return "'" + text.replace("\\", "\\\\").replace("'", "'\\''") + "'"
