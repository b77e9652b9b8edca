"""Finds the runnable commands on the gateway's pages.

The pages mark them as `<code data-run="LANGUAGE" data-flow="FLOW" data-step="N">`: what one flow says in one
language, in order of steps, is one script.
"""

from dataclasses import dataclass
from html.parser import HTMLParser

PAGES = ("/", "/l402/video", "/l402/3d-model")


@dataclass(frozen=True)
class Snippet:
    page: str
    flow: str
    language: str
    script: str

    @property
    def name(self):
        return f"{self.page} {self.flow} {self.language}"


class _Codes(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.steps = {}
        self._open = None

    def handle_starttag(self, tag, attrs):
        marks = dict(attrs)
        if tag == "code" and "data-run" in marks:
            key = (marks["data-flow"], marks["data-run"], int(marks["data-step"]))
            assert key not in self.steps, f"step printed twice: {key}"
            self._open = key
            self.steps[key] = ""

    def handle_endtag(self, tag):
        if tag == "code":
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.steps[self._open] += data


def all_snippets(page, html):
    """What one page prints."""
    codes = _Codes()
    codes.feed(html)
    scripts = {}
    for (flow, language, step), text in sorted(codes.steps.items()):
        parts = scripts.setdefault((flow, language), [])
        parts.append(text.strip("\n") + "\n")
        assert step == len(parts), f"{page}: {flow} in {language} lacks step {len(parts)}"
    return [Snippet(page, flow, language, "".join(parts)) for (flow, language), parts in scripts.items()]


def flows(get):
    """The purchases that the pages print; `get` fetches a path as text. A trigger is a part of one, not one."""
    found = [snippet for page in PAGES for snippet in all_snippets(page, get(page))]
    return [snippet for snippet in found if not snippet.flow.endswith("-trigger")]
