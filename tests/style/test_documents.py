"""What the documents point at is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md")
                   if not {"build", "node_modules"} & set(path.relative_to(ROOT).parts))


def anchors(document):
    """As those who show Markdown make them of headings."""
    titles = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", document.read_text()))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    text = re.sub(r"(?ms)^```.*?^```", "", document.read_text())
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert re.sub(r"-\d+$", "", anchor) in anchors(path) or anchor in anchors(path), target


@pytest.mark.parametrize("document", ["SECURITY.md", "CONTRIBUTING.md", "README.md"])
def test_every_file_that_is_named_is_there(document):
    text = (ROOT / document).read_text()
    named = re.findall(r"`((?:core|lua|scripts|tests|examples)/[\w./]+)", text)
    assert named or document == "README.md"
    for path in named:
        assert (ROOT / path.rstrip(".")).exists(), path


def test_the_readme_leads_to_every_document():
    text = (ROOT / "README.md").read_text()
    for document in ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"]:
        assert f"]({document})" in text
