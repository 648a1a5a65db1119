"""`choragus forget`: the end of one subject's data."""

from __future__ import annotations

from choragus.agents.knowledge.declaration import collection_of
from choragus.agents.knowledge.message import LIBRARIAN, ForgetTexts, Forgotten
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .command import Commands, add_json, command
from .exit import Exit, Refused
from .session import Session
from .text import counted

_PREFIX = collection_of("")


def declare(commands: Commands) -> None:
    """`forget`."""
    one = command(
        commands,
        "forget",
        forget,
        "Delete the documents of a subject, with their parts, vectors and words: in one transaction for each\n"
        "library. What runs have said of it stays until they are pruned, and old copies in free pages until\n"
        "the file is compacted.",
        "choragus forget runs.db --subject alice@example.org",
    )
    one.add_argument("--subject", metavar="SUBJECT", required=True, help="exactly as the documents name it")
    one.add_argument("--library", metavar="LIBRARY", help="only this one: NAMESPACE/NAME")
    add_json(one, "what became of it, as JSON, one library to a line")


async def forget(session: Session) -> Exit:
    """Post to each library that has data of the subject that it is to go."""
    subject: str = session.asked.subject
    wanted: str | None = session.asked.library
    if not subject:
        raise Refused("--subject is empty: name the subject as its documents do")
    names = [await _named(session, wanted)] if wanted is not None else list(await _libraries(session))
    having = [n for n in names if await session.store.document_ids(collection_of(n), subject=subject, limit=1)]
    if not having:
        raise Refused(f"no document of subject {subject!r:.80} in {session.file}: there is nothing to forget")
    worst = Exit.OK
    for name in having:
        fate = await post(session.store, actor_id(LIBRARIAN, name), ForgetTexts(subject=subject))
        gone = fate.reply if isinstance(fate, Handled) else None
        told = f": {counted(gone.documents, 'document')}" if isinstance(gone, Forgotten) else ""
        done = session.report(fate, f"{name} has forgotten the subject{told}", library=name)
        worst = done if done is not Exit.OK else worst
    return worst


async def _libraries(session: Session) -> dict[str, int]:
    """How many parts each library has."""
    every = await session.store.collections()
    return {one.name.removeprefix(_PREFIX): one.documents for one in every if one.name.startswith(_PREFIX)}


async def _named(session: Session, name: str) -> str:
    if name not in await _libraries(session):
        raise Refused(f"no library {name!r} in {session.file}: list them with `{session.command('documents')}`")
    return name
