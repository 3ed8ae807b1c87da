"""`m2n2 studio`: open the studio in a browser; and who may come into it: people, passwords, invitations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.access.roles import Role

if TYPE_CHECKING:
    from studio.access.people import People

OWNER = "owner"  # what the first person is called who has not said otherwise

Name = Annotated[str, typer.Argument(metavar="NAME", help="of a person; votes go by it")]
RoleOption = Annotated[
    Role,
    typer.Option(
        help="viewer: look; judge: vote and rate too; editor: runs, prompt sets, exports too; owner: everything"
    ),
]
Runs = Annotated[
    Path | None, typer.Option(help="folder that holds the runs; the list of people lies beside it; runs if left out")
]

studio_app = typer.Typer(invoke_without_command=True)


@studio_app.callback()
def studio(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="address to listen on; 0.0.0.0 opens it to the network, and needs a password")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 7860,
    runs: Annotated[Path, typer.Option(help="folder that holds the runs")] = Path("runs"),
    allow: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="folder that pages may read beside the studio's own and the working folder; may be repeated",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="a name that browsers reach the studio under, beside numbers and localhost"),
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="a proxy in front, whose X-Forwarded headers are believed")
    ] = None,
    user_header: Annotated[
        str | None, typer.Option(metavar="HEADER", help="header in which that proxy names who is logged in")
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="let in everybody on this machine as the owner; on localhost only")
    ] = False,
) -> None:
    """Open the studio in a browser; it prints the link. / ブラウザーで開くスタジオを起動し、リンクを表示します。"""
    if context.invoked_subcommand:
        return
    from studio.access.door import open_door
    from studio.ui.server.app import serve

    door = open_door(runs, host, with_token=not no_token, names=name or (), proxy=proxy, user_header=user_header)
    serve(runs, door, host=host, port=port, allowed=allow or ())


@studio_app.command("password")
def password(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="of a person")] = OWNER,
    runs: Runs = None,
) -> None:
    """Set a password: the owner's, or somebody else's on the list. / パスワードを設定します。"""
    _people(context, runs).set_password(name, _asked(), role="owner" if name == OWNER else None)
    print(f"{name} logs in with the new password; who came in with the former one has to log in again.")


@studio_app.command("add")
def add(
    context: typer.Context,
    name: Name,
    role: RoleOption,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="for somebody whom a proxy names; nothing else lets them in")
    ] = False,
    runs: Runs = None,
) -> None:
    """Add a person, with a password. / 入る人をパスワードつきで追加します。"""
    person = _people(context, runs).add(name, role, None if no_password else _asked())
    print(f"{person.name} may come in as {role}.")


@studio_app.command("invite")
def invite(
    context: typer.Context,
    name: Name,
    role: RoleOption = "judge",
    days: Annotated[int, typer.Option(min=1, max=366, help="how long the link holds")] = 30,
    at: Annotated[
        str, typer.Option(metavar="ADDRESS", help="where browsers reach the studio")
    ] = "http://127.0.0.1:7860",
    runs: Runs = None,
) -> None:
    """Print a link that lets somebody in without a password. / パスワードなしで入れる招待リンクを表示します。"""
    token = _people(context, runs).invite(name, role, days=days)
    print(f"{at.rstrip('/')}/?token={token}")
    print(f"{name} comes in as {role} with this link for {days} days. It is shown this once.", file=sys.stderr)


@studio_app.command("remove")
def remove(context: typer.Context, name: Name, runs: Runs = None) -> None:
    """Take a person off the list; they are out at once. / 名簿から外します。すぐに入れなくなります。"""
    _people(context, runs).remove(name)
    print(f"{name} may not come in any more.")


@studio_app.command("people")
def people(context: typer.Context, runs: Runs = None) -> None:
    """Who may come in: name, role, and by what. / 入れる人の名前・権限・入り方を一覧にします。"""
    for one in _people(context, runs).everybody():
        ways = [*(["password"] if one.password else []), *([f"link until {one.until:%Y-%m-%d}"] if one.until else [])]
        print(f"{one.name}\t{one.role}\t{', '.join(ways) or 'proxy'}")


def _people(context: typer.Context, runs: Path | None) -> People:
    """The people of the studio over a folder of runs; imported here, so that a help text needs no hashing."""
    from studio.access.door import people_of

    above = context.parent
    return people_of(runs or (above.params["runs"] if above else Path("runs")))


def _asked() -> str:
    """Ask for a password twice; a program gives it on stdin, in one line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
