"""A post-mortem in; Markdown or one HTML page (no script, nothing loaded) out.

Names, reasons and models' words come from outside: everything is escaped, so that none of them can
become a heading, a link or a tag.
"""

import html
import re

from prunella.healing.audit.postmortem import PostMortem, Sentence

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}li{margin:.25rem 0}
.r{color:#555;font-size:.85em;font-family:monospace}pre{white-space:pre-wrap;font-size:.85em}
@media (prefers-color-scheme:dark){body{background:#111;color:#ddd}.r{color:#aaa}}
"""


def to_markdown(story: PostMortem) -> str:
    """Markdown, with `[#N]` for the ledger entries that each sentence rests on."""
    lines = [f"# {_plain(story.title)}", "", _intro(story)]
    for section in story.sections:
        lines += ["", f"## {section.title}", ""]
        lines += [f"- {_plain(each.text)} {_references(each)}" for each in section.sentences]
    note = "\n".join(f"    {line}" for line in story.checkpoint.splitlines())
    lines += ["", "## Proof", "", _proof(story), "", note]
    return "\n".join(lines).rstrip() + "\n"


def to_html(story: PostMortem) -> str:
    """One page; each reference leads to its line of the timeline."""
    body = [f"<h1>{html.escape(story.title)}</h1>", f"<p>{html.escape(_intro(story))}</p>"]
    for section in story.sections:
        rows = []
        for each in section.sentences:
            here = section.title == "Timeline"
            mark = f' id="e{each.entries[0]}"' if here else ""
            links = " ".join(
                f"#{seq}" if here else f'<a href="#e{seq}">#{seq}</a>' for seq in each.entries
            )
            rows.append(f'<li{mark}>{html.escape(each.text)} <span class="r">{links}</span></li>')
        body += [f"<h2>{html.escape(section.title)}</h2>", "<ul>", *rows, "</ul>"]
    body += ["<h2>Proof</h2>", f"<p>{html.escape(_proof(story).replace('`', ''))}</p>"]
    body.append(f"<pre>{html.escape(story.checkpoint)}</pre>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(story.title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _intro(story: PostMortem) -> str:
    return (
        f"Written from {story.entries} ledger entries and nothing else; the numbers after each "
        "sentence are the entries that say so."
    )


def _proof(story: PostMortem) -> str:
    return (
        f"{story.proven} of the {story.entries} entries are under this signed checkpoint. "
        f"`prunella ledger prove N` shows one entry's proof, `prunella ledger export FILE "
        f"--incident {story.incident}` hands all of them to whoever wants to check."
    )


def _references(sentence: Sentence) -> str:
    return " ".join(f"\\[#{seq}\\]" for seq in sentence.entries)


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", text.replace("\n", " "))
