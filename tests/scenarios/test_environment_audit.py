"""The audit example without a runtime: its checks, its report and tools, and the analyst driven by hand."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, ToolCall
from choragus.agents.tool import Tool
from environment_audit import checks, filing
from environment_audit.analyst import AT_ONCE, decide
from environment_audit.report import Finding, Kind, render
from environment_audit.toolbox import toolbox

from .fixture_tree import build

MANY = 60  # model calls, far more than an audit of the fixture tree makes
DENIED = "denied by ann: not on a Friday"
REAL = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The fixture tree, where a virtual environment would have it."""
    root = tmp_path / "env/lib/python3/site-packages"
    build(root)
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def install(root: Path, name: str, headers: str = "", record: str | None = None) -> Path:
    """Put one more distribution, of version 1.0, beside the others and return its metadata folder."""
    info = root / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{headers}", encoding="utf-8")
    if record is not None:
        (info / "RECORD").write_text(record, encoding="utf-8")
    return info


def test_the_inventory_names_every_distribution_and_the_one_that_cannot_be_read(root: Path) -> None:
    listed = checks.list_distributions(root)

    assert [entry["name"] for entry in listed] == ["alpha", "beta", "delta", "epsilon", "gamma", "zeta"]
    assert [entry for entry in listed if not entry["readable"]] == [
        {
            "name": "delta",
            "version": "0.3",
            "folder": "delta-0.3.dist-info",
            "readable": False,
            "reason": "the metadata is not UTF-8: byte 0xff at offset 34",
        }
    ]


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        pytest.param(None, "METADATA is missing", id="missing"),
        pytest.param("", "the metadata has no Name", id="empty"),
        pytest.param("\0" * 512, "the metadata has no Name", id="zeroed"),
        pytest.param("Name: broken\n", "the metadata has no Version", id="no version"),
        pytest.param("Name: broken\nVersion: soon\n", "'soon' is no valid version", id="no valid version"),
        pytest.param("Name: other\nVersion: 1\n", "the metadata says that it is of 'other'", id="another's"),
        pytest.param(
            "Name: broken\nVersion: 1\n%%%\nRequires-Dist: x\n",
            "the metadata breaks off at a line that is no header",
            id="torn",
        ),
    ],
)
def test_broken_metadata_is_reported_with_its_reason(root: Path, metadata: str | None, reason: str) -> None:
    info = install(root, "broken")
    (info / "METADATA").unlink()
    if metadata is not None:
        (info / "METADATA").write_text(metadata, encoding="utf-8")

    entry = next(entry for entry in checks.list_distributions(root) if entry["name"] == "broken")

    assert (entry["readable"], entry["reason"]) == (False, reason)


def test_what_an_interrupted_uninstall_left_is_named_as_such(root: Path) -> None:
    (root / "beta-1.5.dist-info").rename(root / "~eta-1.5.dist-info")

    reasons = {entry["folder"]: entry["reason"] for entry in checks.list_distributions(root)}

    assert reasons["~eta-1.5.dist-info"] == "left over from an interrupted uninstall"


def test_an_egg_info_counts_as_installed_and_its_requirements_are_read(root: Path) -> None:
    info = root / "Old_Egg-1.0-py3.11.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Name: Old-Egg\nVersion: 1.0\n", encoding="utf-8")
    (info / "requires.txt").write_text("beta>=9\n", encoding="utf-8")

    check = checks.check_requirements(root, "old-egg")

    assert [problem["requirement"] for problem in check["conflicting"]] == ["beta>=9"]
    assert checks.check_files(root, "old-egg")["reason"] == "an egg-info has no RECORD"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system refuses such names")
def test_a_folder_name_that_is_not_utf8_is_spelled_out(tmp_path: Path) -> None:
    Path(tmp_path, "b\udcffd-1.0.dist-info").mkdir()

    listed = checks.list_distributions(tmp_path)

    assert msgspec.json.decode(msgspec.json.encode(listed))[0]["name"] == "b\\udcffd"


@pytest.mark.parametrize(
    "check", [checks.check_requirements, checks.check_licence, checks.check_files, checks.who_requires]
)
def test_an_unknown_name_is_refused_with_the_way_to_the_known_ones(
    root: Path, check: Callable[[Path, str], object]
) -> None:
    with pytest.raises(ValueError, match=r"^(no distribution )?'\.\./alpha' .*list_distributions names"):
        check(root, "../alpha")


@pytest.mark.parametrize("check", [checks.check_requirements, checks.check_licence])
def test_a_check_that_needs_metadata_says_why_it_has_none(root: Path, check: Callable[[Path, str], object]) -> None:
    with pytest.raises(ValueError, match=r"^the metadata of 'delta' cannot be read: .* check_files does without it$"):
        check(root, "Delta")


def test_a_version_outside_the_range_conflicts_and_a_foreign_marker_is_passed_over(root: Path) -> None:
    check = checks.check_requirements(root, "alpha")

    assert check["conflicting"] == [
        {"requirement": "beta>=2", "name": "beta", "installed": "1.5", "reason": "1.5 is installed"}
    ]
    assert (check["checked"], check["inapplicable"], check["unmet"], check["invalid"]) == (2, 1, [], [])


def test_unmet_and_undecided_requirements_are_told_apart(root: Path) -> None:
    check = checks.check_requirements(root, "epsilon")

    assert [problem["name"] for problem in check["unmet"]] == ["omega"]
    assert [(problem["name"], problem["installed"]) for problem in check["undecided"]] == [("delta", "0.3")]


def test_a_requirement_that_does_not_parse_costs_no_other(root: Path) -> None:
    install(root, "sloppy", "Requires-Dist: >=!?\nRequires-Dist: beta; moon == 'full'\nRequires-Dist: omega\n")

    check = checks.check_requirements(root, "sloppy")

    assert [problem["requirement"] for problem in check["invalid"]] == [">=!?", "beta; moon == 'full'"]
    assert [problem["requirement"] for problem in check["unmet"]] == ["omega"]


def test_an_extra_counts_only_when_another_distribution_asks_for_it(root: Path) -> None:
    install(root, "thing", 'Requires-Dist: omega; extra == "fast"\n')

    before = checks.check_requirements(root, "thing")
    install(root, "user", "Requires-Dist: Thing[fast]\n")
    after = checks.check_requirements(root, "thing")

    assert (before["extras"], before["unmet"], before["inapplicable"]) == ([], [], 1)
    assert (after["extras"], [problem["name"] for problem in after["unmet"]]) == (["fast"], ["omega"])


def test_an_installed_prerelease_lies_in_the_range_that_holds_it(root: Path) -> None:
    info = install(root, "early")
    (info / "METADATA").write_text("Name: early\nVersion: 2.0rc1\n", encoding="utf-8")
    install(root, "user", "Requires-Dist: early>=1\n")

    assert checks.check_requirements(root, "user")["conflicting"] == []


def test_a_check_names_twenty_problems_and_counts_the_rest(root: Path) -> None:
    install(root, "needy", "".join(f"Requires-Dist: absent-{number}\n" for number in range(50)))

    check = checks.check_requirements(root, "needy")

    assert (check["checked"], len(check["unmet"]), check["left_out"]) == (50, 20, 30)


def test_who_requires_names_the_others_and_whether_they_are_satisfied(root: Path) -> None:
    check = checks.who_requires(root, "Beta")

    assert check["installed"] == "1.5"
    assert check["required_by"] == [
        {"distribution": "alpha", "requirement": "beta>=2", "satisfied": False},
        {"distribution": "zeta", "requirement": "beta<2", "satisfied": True},
    ]


def test_who_requires_knows_a_distribution_that_is_only_required(root: Path) -> None:
    check = checks.who_requires(root, "omega")

    assert (check["installed"], [one["distribution"] for one in check["required_by"]]) == ("", ["epsilon"])


@pytest.mark.parametrize(
    ("headers", "verdict", "reason"),
    [
        pytest.param("License-Expression: MIT OR (Apache-2.0 AND BSD-3-Clause)\n", "ok", "", id="expression"),
        pytest.param("Classifier: License :: OSI Approved :: MIT License\n", "ok", "", id="classifier"),
        pytest.param("License: Apache License 2.0\n", "ok", "", id="text"),
        pytest.param("License: UNKNOWN\n", "missing", "no licence is declared and no licence file is there", id="none"),
        pytest.param(
            "License-Expression: MIT AND LicenseRef-Mine\n",
            "unusual",
            "not a common SPDX id: LicenseRef-Mine",
            id="strange expression",
        ),
        pytest.param(
            "Classifier: License :: Other/Proprietary License\nLicense: MIT\n",
            "unusual",
            "not a common licence: Other/Proprietary License",
            id="strange classifier",
        ),
        pytest.param("License: ask me\n", "unusual", "not a common licence: ask me", id="strange text"),
        pytest.param(
            "License-Expression: MIT\nLicense-File: LICENSE\n",
            "missing",
            "of the licence files listed, LICENSE is absent",
            id="file absent",
        ),
        pytest.param(
            "License-Expression: MIT\nLicense-File: ../../../../etc/passwd\n",
            "missing",
            "of the licence files listed, ../../../../etc/passwd is outside",
            id="file outside",
        ),
    ],
)
def test_the_verdict_follows_from_what_is_declared_and_there(
    root: Path, headers: str, verdict: str, reason: str
) -> None:
    install(root, "thing", headers)

    check = checks.check_licence(root, "thing")

    assert (check["verdict"], check["reason"]) == (verdict, reason)


def test_an_empty_licence_file_is_missing(root: Path) -> None:
    (root / "gamma-2.0.dist-info/licenses/LICENSE").write_bytes(b"")

    check = checks.check_licence(root, "gamma")

    assert (check["verdict"], check["files"]) == ("missing", [{"path": "LICENSE", "state": "empty"}])


def test_a_licence_file_without_a_declaration_is_unusual(root: Path) -> None:
    info = install(root, "thing")
    (info / "COPYING").write_text("Do as you like.", encoding="utf-8")

    check = checks.check_licence(root, "thing")

    assert (check["verdict"], check["files"]) == ("unusual", [{"path": "COPYING", "state": "ok"}])


def test_a_record_that_lies_is_found_out(root: Path) -> None:
    check = checks.check_files(root, "gamma")

    assert check["items"] == [
        {"kind": "changed", "path": "gamma/core.py", "reason": "39 bytes recorded, 46 found"},
        {"kind": "absent", "path": "gamma/gone.py", "reason": "recorded, but not there"},
    ]
    assert (check["rows"], check["verified"], check["unhashed"]) == (8, 5, 1)


def test_a_change_of_the_same_size_is_found_by_its_hash(root: Path) -> None:
    core = root / "beta/core.py"
    core.write_bytes(core.read_bytes().replace(b"greet", b"greex"))

    assert [item["reason"] for item in checks.check_files(root, "beta")["items"]] == ["its sha256 differs"]


def test_damaged_metadata_differs_from_its_record(root: Path) -> None:
    assert [item["path"] for item in checks.check_files(root, "delta")["items"]] == ["delta-0.3.dist-info/METADATA"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        pytest.param("thing.py", "malformed", id="too few fields"),
        pytest.param('"thing.py,,', "malformed", id="open quote"),
        pytest.param(",,", "malformed", id="no path"),
        pytest.param("thing.py,md5=abc,", "malformed", id="weak hash"),
        pytest.param("thing.py,sha256,", "malformed", id="no digest"),
        pytest.param("thing.py,,-1", "malformed", id="negative size"),
        pytest.param("thing.py,," + "9" * 5000, "malformed", id="endless size"),
        pytest.param("/etc/passwd,,", "outside", id="absolute"),
        pytest.param("../../../../etc/passwd,,", "outside", id="above the environment"),
        pytest.param("thing/../../../../../x,,", "outside", id="above by a detour"),
        pytest.param("C:\\Windows\\x.dll,,", "outside", id="drive"),
        pytest.param("thing,,", "changed", id="folder"),
        pytest.param("absent.py,,", "absent", id="absent without hash"),
        pytest.param("thing/__pycache__/x.pyc,sha256=abc,3", "absent", id="absent bytecode with hash"),
    ],
)
def test_a_row_in_disorder_is_named_and_costs_no_other(root: Path, row: str, kind: str) -> None:
    (root / "thing").mkdir()
    install(root, "thing", record=f"{row}\nthing-1.0.dist-info/METADATA,,\n")

    check = checks.check_files(root, "thing")

    assert ([item["kind"] for item in check["items"]], check["rows"], check["unhashed"]) == ([kind], 2, 1)


def test_scripts_of_the_environment_and_bytecode_are_no_findings(root: Path) -> None:
    script = root / "../../../bin/thing"
    script.parent.mkdir()
    script.write_bytes(b"")
    install(root, "thing", record="../../../bin/thing,,0\r\n__pycache__/thing.cpython-311.pyc,,\r\n")

    check = checks.check_files(root, "thing")

    assert (check["items"], check["unhashed"]) == ([], 2)


@pytest.mark.parametrize(
    ("content", "state", "reason"),
    [
        pytest.param(None, "missing", "there is no RECORD", id="missing"),
        pytest.param(b"", "unreadable", "RECORD is empty", id="empty"),
        pytest.param(b"a,\xff,", "unreadable", "RECORD is not UTF-8 at offset 2", id="damaged"),
    ],
)
def test_a_record_that_cannot_be_read_is_reported(root: Path, content: bytes | None, state: str, reason: str) -> None:
    info = install(root, "thing")
    if content is not None:
        (info / "RECORD").write_bytes(content)

    check = checks.check_files(root, "thing")

    assert (check["record"], check["reason"], check["rows"]) == (state, reason, 0)


def test_twenty_files_are_named_and_the_rest_counted(root: Path) -> None:
    install(root, "thing", record="".join(f"gone/{number:02}.py,,\n" for number in range(33)))

    check = checks.check_files(root, "thing")

    assert (check["absent"], len(check["items"]), check["left_out"]) == (33, 20, 13)


@pytest.mark.slow
def test_every_check_completes_on_the_real_environment_with_a_modest_result() -> None:
    listed = checks.list_distributions(REAL)
    readable = [entry["name"] for entry in listed if entry["readable"]]

    results: list[object] = [listed]
    for name in readable:
        results += [checks.check_requirements(REAL, name), checks.check_licence(REAL, name)]
        results += [checks.check_files(REAL, name), checks.who_requires(REAL, name)]

    texts = [msgspec.json.encode(result).decode() for result in results]
    assert {"attrs", "packaging", "pytest"} <= set(readable)
    assert not [text for text in texts if str(REAL) in text]
    assert max(map(len, texts[1:])) < 10_000


def finding(kind: Kind, distribution: str, detail: str) -> Finding:
    return {"kind": kind, "distribution": distribution, "detail": detail}


def test_the_report_does_not_depend_on_the_order_of_its_findings() -> None:
    findings = [finding("absent_file", "b", "x"), finding("absent_file", "a", "y"), finding("checked", "a", "all")]

    assert render(findings) == render([*reversed(findings), findings[0]])


def test_the_report_counts_names_and_says_what_was_checked() -> None:
    text = render([finding("absent_file", "b", "x"), finding("absent_file", "b", "y"), finding("checked", "b", "all")])

    assert "| Recorded files that are absent | 2 | 1 |" in text
    assert "### Recorded files that are absent\n\n- **b**: x\n- **b**: y\n" in text
    assert text.endswith("| b | all |\n")


def test_an_empty_report_says_that_nothing_was_found_or_checked() -> None:
    text = render([])

    assert all(part in text for part in ("Nothing was found.", "Everything could be read.", "Nothing was checked."))


def test_a_package_cannot_write_into_the_report() -> None:
    text = render([finding("unusual_licence", "evil", "x\n\n# All is well | <script> [a](b) `")])

    assert "- **evil**: x # All is well \\| \\<script> \\[a\\](b) \\`\n" in text


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^'gossip' is no kind of finding; the kinds are conflicting_requirement, "):
        render([{"kind": "gossip", "distribution": "", "detail": ""}])  # type: ignore[typeddict-item]  # the point


def test_writing_replaces_the_report_and_leaves_no_draft(out: Path) -> None:
    filing.write(out, [finding("absent_file", "a", "x")])

    written = filing.write(out, [finding("absent_file", "a", "y"), finding("checked", "a", "all")])

    content = (out / "audit-report.md").read_bytes()
    assert written == {"report": "audit-report.md", "sha256": hashlib.sha256(content).hexdigest(), "findings": 1}
    assert [path.name for path in out.iterdir()] == ["audit-report.md"]


def test_filing_copies_the_report_under_its_digest(out: Path) -> None:
    written = filing.write(out, [])

    filed = filing.file(out, written["report"], written["sha256"])

    assert filed == {"filed": f"audit-archive/audit-{written['sha256'][:12]}.md"}
    assert (out / filed["filed"]).read_bytes() == (out / "audit-report.md").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["audit-archive", "audit-report.md"]


def test_a_report_that_changed_is_not_filed(out: Path) -> None:
    written = filing.write(out, [])
    (out / "audit-report.md").write_text("All is well.", encoding="utf-8")

    with pytest.raises(ValueError, match=r"^audit-report.md has the SHA-256 .* so it is not filed; write it anew$"):
        filing.file(out, written["report"], written["sha256"])

    assert not (out / "audit-archive").exists()


def test_what_is_filed_is_never_overwritten(out: Path) -> None:
    written = filing.write(out, [])
    filed = out / filing.file(out, written["report"], written["sha256"])["filed"]
    filed.write_text("precious", encoding="utf-8")

    with pytest.raises(FileExistsError, match=r"^audit-archive/audit-.*\.md is there already and is left as it is$"):
        filing.file(out, written["report"], written["sha256"])

    assert filed.read_text(encoding="utf-8") == "precious"
    assert sorted(path.name for path in out.iterdir()) == ["audit-archive", "audit-report.md"]


def test_nothing_but_the_report_can_be_filed(out: Path) -> None:
    with pytest.raises(ValueError, match=r"^'\.\./secret' is not the report that can be filed"):
        filing.file(out, "../secret", "")


def test_the_tools_declare_what_they_can_do(root: Path, out: Path) -> None:
    risks = {tool.name: tool.risk.value for tool in toolbox(root, out)}

    assert risks.pop("write_report") == "reversible"
    assert risks.pop("file_report") == "irreversible"
    assert set(risks.values()) == {"read"}


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^'.*/nowhere' is no folder; give the site-packages folder"):
        toolbox(tmp_path / "nowhere", tmp_path)


def ask(messages: Sequence[ChatMessage], tools: Sequence[Tool]) -> ModelReply:
    """One model call, which sees what a provider would be sent."""
    schemas = tuple(tool.schema for tool in tools)
    return decide(ModelRequest("offline", "Audit the environment.", tuple(messages), schemas))


def answer(tool: Tool, call: ToolCall) -> ChatMessage:
    """Run one call as the gateway would: arguments through JSON and the schema, errors as text."""
    arguments = msgspec.json.decode(msgspec.json.encode(call.arguments), type=dict[str, object])
    try:
        text = tool.render(tool.function(**tool.parse(arguments)))
    except (ValueError, OSError) as error:
        return ChatMessage("tool", str(error), call_id=call.id, name=call.name, is_error=True)
    return ChatMessage("tool", text, call_id=call.id, name=call.name)


def audit(tools: Sequence[Tool], denied: str = "") -> list[ChatMessage]:
    """Let the analyst run to its final text and return the conversation; calls of the tool `denied` are errors."""
    by_name = {tool.name: tool for tool in tools}
    messages = [ChatMessage("user", "Audit the environment.")]
    for _ in range(MANY):
        reply = ask(messages, tools)
        messages.append(ChatMessage("assistant", reply.text, reply.calls))
        if not reply.calls:
            return messages
        for call in reply.calls:
            refusal = ChatMessage("tool", DENIED, call_id=call.id, name=call.name, is_error=True)
            messages.append(refusal if call.name == denied else answer(by_name[call.name], call))
    raise AssertionError(f"no final text after {MANY} model calls")


def made(messages: Sequence[ChatMessage]) -> list[ToolCall]:
    return [call for message in messages for call in message.calls]


def position(messages: Sequence[ChatMessage], call_id: str) -> int:
    return next(index for index, message in enumerate(messages) if message.call_id == call_id)


def test_the_audit_ends_with_what_it_found_and_where_the_report_lies(root: Path, out: Path) -> None:
    messages = audit(toolbox(root, out))

    filed = next((out / "audit-archive").iterdir())
    assert messages[-1].text == (
        "Audited 6 distributions: 1 conflicting requirement, 1 unmet requirement, 1 undecided requirement, "
        "1 absent file, 2 changed files, 1 missing licence, 1 unusual licence, 1 unreadable metadata. "
        f"The report is audit-report.md, filed as audit-archive/{filed.name}."
    )


def test_the_report_holds_each_defect_of_the_tree(root: Path, out: Path) -> None:
    audit(toolbox(root, out))

    text = (out / "audit-report.md").read_text(encoding="utf-8")
    assert "- **alpha**: requires beta>=2: 1.5 is installed; also required by zeta (beta\\<2, satisfied)\n" in text
    assert "- **epsilon**: requires omega>=3: not installed\n" in text
    assert "- **delta**: delta-0.3.dist-info: the metadata is not UTF-8: byte 0xff at offset 34\n" in text
    assert "- **gamma**: gamma/gone.py: recorded, but not there\n" in text
    assert "- **zeta**: no licence is declared and no licence file is there\n" in text
    assert "| delta | requirements not checked, licence not checked, files verified: 5 of 6 |" in text


def test_two_audits_of_one_tree_give_identical_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(tmp_path / name)
        audit(toolbox(tmp_path / name, tmp_path / f"{name}-out"))

    first, second = ((tmp_path / f"{name}-out/audit-report.md").read_bytes() for name in ("one", "two"))
    assert first == second
    assert str(tmp_path).encode() not in first


def test_no_question_is_asked_twice_and_no_reply_holds_too_many(root: Path, out: Path) -> None:
    messages = audit(toolbox(root, out))

    calls = made(messages)
    assert len({call.id for call in calls}) == len(calls)
    assert len({(call.name, str(call.arguments)) for call in calls}) == len(calls)
    assert max(len(message.calls) for message in messages) <= AT_ONCE


def test_it_goes_deeper_only_where_a_result_shows_something(root: Path, out: Path) -> None:
    calls = made(audit(toolbox(root, out)))

    assert [call.arguments for call in calls if call.name == "who_requires"] == [
        {"distribution": "beta"},
        {"distribution": "omega"},
    ]
    assert [call.name for call in calls if call.arguments.get("distribution") == "delta"] == ["check_files"]


def test_each_result_that_is_taken_away_is_asked_for_next(root: Path, out: Path) -> None:
    """At the moment before the report is written, so that every question has been answered."""
    tools = toolbox(root, out)
    messages = audit(tools)
    asked = next(
        index for index, message in enumerate(messages) if message.calls[:1] and "write" in message.calls[0].id
    )

    for call in made(messages[:asked]):
        at = position(messages, call.id)
        reply = ask([*messages[:at], *messages[at + 1 : asked]], tools)

        assert (reply.calls[0].name, reply.calls[0].arguments) == (call.name, call.arguments)


def test_filing_waits_for_the_digest_that_writing_gave(root: Path, out: Path) -> None:
    tools = toolbox(root, out)
    messages = audit(tools)
    at = position(messages, "write_report-1")
    changed = ChatMessage("tool", '{"report": "other.md", "sha256": "00", "findings": 0}', call_id="write_report-1")

    assert [call.name for call in ask(messages[:at], tools).calls] == ["write_report"]
    assert ask([*messages[:at], changed], tools).calls[0].arguments == {"report": "other.md", "sha256": "00"}


def test_a_result_without_a_conflict_calls_for_no_deeper_look(root: Path, out: Path) -> None:
    tools = toolbox(root, out)
    messages = audit(tools)
    at = position(messages, "who_requires-1")
    clean = msgspec.json.encode({**checks.check_requirements(root, "alpha"), "conflicting": []}).decode()
    edited = ChatMessage("tool", clean, call_id="check_requirements-1", name="check_requirements")
    seen = messages[: at - 1]
    seen[position(messages, "check_requirements-1")] = edited

    reply = ask(seen, tools)

    assert {str(call.arguments["distribution"]) for call in reply.calls} == {"beta"}


def test_a_changed_result_changes_the_findings(root: Path, out: Path) -> None:
    tools = toolbox(root, out)
    messages = audit(tools)
    at = position(messages, "write_report-1") - 1
    text = messages[position(messages, "check_licence-1")].text.replace('"verdict":"ok"', '"verdict":"unusual"')
    seen = messages[:at]
    seen[position(messages, "check_licence-1")] = ChatMessage("tool", text, call_id="check_licence-1")

    before, after = (str(ask(history, tools).calls[0].arguments) for history in (messages[:at], seen))

    assert before.count("unusual_licence") == 1
    assert after.count("unusual_licence") == 2


def test_a_denied_filing_leaves_the_report_and_says_so(root: Path, out: Path) -> None:
    messages = audit(toolbox(root, out), denied="file_report")

    assert messages[-1].text.endswith(f"The report audit-report.md was written but not filed: {DENIED}.")
    assert [call.name for call in made(messages)].count("file_report") == 1
    assert not (out / "audit-archive").exists()


@pytest.mark.parametrize("tool", ["list_distributions", "check_requirements", "check_licence", "check_files"])
def test_a_tool_that_fails_is_noted_and_not_asked_again(root: Path, out: Path, tool: str) -> None:
    messages = audit(toolbox(root, out), denied=tool)

    calls = [(call.name, str(call.arguments)) for call in made(messages)]
    assert len(set(calls)) == len(calls)
    assert f"{tool}: {DENIED}" in (out / "audit-report.md").read_text(encoding="utf-8").replace("\\", "")
    assert "failed check" in messages[-1].text


def test_a_report_that_cannot_be_written_is_not_filed(root: Path, out: Path) -> None:
    messages = audit(toolbox(root, out), denied="write_report")

    assert messages[-1].text.endswith(f"The report was not written: {DENIED}.")
    assert "file_report" not in [call.name for call in made(messages)]


def test_a_result_that_makes_no_sense_is_a_failed_check(root: Path, out: Path) -> None:
    tools = toolbox(root, out)
    messages = audit(tools)
    seen = messages[: position(messages, "write_report-1") - 1]
    seen[position(messages, "check_files-1")] = ChatMessage("tool", '{"distribu', call_id="check_files-1")

    reply = ask(seen, tools)

    assert "check_files: gave a result that cannot be understood" in str(reply.calls[0].arguments)


def test_tools_that_are_not_offered_are_done_without(root: Path, out: Path) -> None:
    few = [tool for tool in toolbox(root, out) if tool.name in ("list_distributions", "check_licence", "write_report")]

    messages = audit(few)

    assert {call.name for call in made(messages)} == {tool.name for tool in few}
    assert messages[-1].text.endswith("was written but not filed: file_report is not offered.")


def test_a_name_that_is_installed_twice_is_a_finding(root: Path, out: Path) -> None:
    (root / "beta-1.4.dist-info").mkdir()
    (root / "beta-1.4.dist-info/METADATA").write_text("Name: beta\nVersion: 1.4\n", encoding="utf-8")

    audit(toolbox(root, out))

    text = (out / "audit-report.md").read_text(encoding="utf-8")
    assert "- **beta**: has 2 metadata folders: beta-1.4.dist-info, beta-1.5.dist-info\n" in text


def test_the_fixture_tree_is_only_built_in_an_empty_folder(root: Path) -> None:
    with pytest.raises(ValueError, match=r"is not empty; give an empty or a new folder$"):
        build(root)
