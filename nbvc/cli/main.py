"""The ``nbvc`` command: global options, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nbvc import __version__
from nbvc.cli.commands import LazyCommands
from nbvc.cli.completion import keep_refs_whole
from nbvc.cli.context import State, working_folder
from nbvc.cli.output import Output, flush_output, set_up_streams, silence_broken_pipe
from nbvc.errors import Interrupted, NbvcError, NotFound

WELCOME = """\
nbvc keeps every save of a Jupyter notebook as a version, in storage that you own.

  nbvc init                        keep versions of the notebooks in this folder
  nbvc save -m "first results"     record what has changed
  nbvc log mine.ipynb              list the versions of a notebook

Then: diff and show compare and read versions, checkout brings one back, clone copies
notebooks from a store, publish shares one, status says where you stand.
nbvc --help lists every command.
"""


class Commands(TyperGroup):
    """The commands; every error of theirs ends here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.commands = LazyCommands()

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command, and turn what goes wrong into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except NbvcError as error:
            _output(ctx).error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            _output(ctx).note("Interrupted. Running the command again picks up.")
            raise typer.Exit(Interrupted.exit_code) from error
        except BrokenPipeError as error:
            silence_broken_pipe()
            raise typer.Exit(0) from error
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            _explain_unexpected(ctx.obj, error)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Keep every save of a Jupyter notebook as a version, in storage that you own.",
    epilog="Documentation: docs/ in the source; nbvc COMMAND --help begins with examples.",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"nbvc {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option("-C", metavar="FOLDER", help="Run as if started there.", show_default=False),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(help="Name that your versions carry.", show_default=False),
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="Use no colour.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Keep every save of a Jupyter notebook as a version, in storage that you own."""
    from dataclasses import replace

    from nbvc.environment import Environment

    try:
        environment = Environment.current()
    except FileNotFoundError as error:
        raise NotFound("The working directory does not exist any more.", hint="cd") from error
    if folder is not None:
        environment = replace(environment, cwd=working_folder(folder))
    context.obj = State(
        environment=environment,
        output=Output(environment.variables, color=not no_color),
        debug=debug,
        flags={"author": author},
    )
    if context.invoked_subcommand is None:
        typer.echo(WELCOME, nl=False)


def run() -> None:
    """Run the command line; the entry point."""
    set_up_streams()
    if any(argument.endswith("-completion") for argument in sys.argv[1:2]):
        keep_refs_whole()
    try:
        app(prog_name="nbvc")
    except SystemExit as ended:
        if ended.code == Interrupted.exit_code:
            flush_output()
            # Python would wait for the threads, and they for replies that nobody wants any more.
            os._exit(Interrupted.exit_code)
        raise
    finally:
        flush_output()


def _output(ctx: Any) -> Output:  # noqa: ANN401
    return ctx.obj.output if isinstance(ctx.obj, State) else Output({})


def _explain_unexpected(state: object, error: Exception) -> None:
    """Keep the traceback in a file, and say where; with ``--debug`` show it too.

    It repeats what libraries say, and is meant to be sent to strangers: so it is made public first.
    """
    if not isinstance(state, State):
        Output({}).error(NbvcError(f"Something unexpected went wrong ({type(error).__name__})."))
        return
    from nbvc.workspace.public_text import PublicText

    environment = state.environment
    text = PublicText(environment).clean("".join(traceback.format_exception(error)))
    if state.debug:
        sys.stderr.write(text)
    log = environment.cache_dir / "debug" / f"{environment.now():%Y%m%d-%H%M%S}.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.write_text(f"nbvc {__version__}\n{text}")
        where = f"Details are in {log}."
    except OSError:
        where = "Run it again with --debug for details."
    unexpected = NbvcError(
        f"Something unexpected went wrong ({type(error).__name__}). {where}",
        hint="No version was changed by it. Please report this with that file.",
    )
    state.output.error(unexpected)
