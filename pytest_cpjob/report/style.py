"""The style of a report: light, dark, and as narrow as a phone.

Every rule is below `.cpjob`, so that a fragment in a notebook or in pytest-html's page changes
nothing around it.
"""

from __future__ import annotations

from typing import Final

_LIGHT: Final = (
    "color-scheme:light;--bg:#fff;--panel:#f6f8fa;--text:#1f2328;--muted:#59636e;--line:#d1d9e0;"
    "--link:#0969da;--good:#1a7f37;--good-bg:#dafbe1;--bad:#cf222e;--bad-bg:#ffebe9;"
    "--warn:#7d4e00;--warn-bg:#fff8c5;--call:#0969da"
)
_DARK: Final = (
    "color-scheme:dark;--bg:#0d1117;--panel:#161b22;--text:#e6edf3;--muted:#9198a1;--line:#3d444d;"
    "--link:#58a6ff;--good:#56d364;--good-bg:#12361f;--bad:#ff7b72;--bad-bg:#3d1a1d;"
    "--warn:#e3b341;--warn-bg:#3a2d0c;--call:#58a6ff"
)

STYLE: Final = (
    f"""
.cpjob{{{_LIGHT}}}
@media (prefers-color-scheme:dark){{.cpjob{{{_DARK}}}}}
[data-theme=light] .cpjob,[data-jp-theme-light=true] .cpjob,.vscode-light .cpjob,
.cpjob[data-theme=light]{{{_LIGHT}}}
[data-theme=dark] .cpjob,[data-jp-theme-light=false] .cpjob,.vscode-dark .cpjob,
.cpjob[data-theme=dark]{{{_DARK}}}
"""
    + """
.cpjob{background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif;text-align:left;
 overflow-wrap:anywhere}
.cpjob *{box-sizing:border-box}
.cpjob h1{font-size:1.5rem;margin:0 0 .25rem}
.cpjob h2{font-size:1.1rem;margin:2rem 0 .5rem}
.cpjob h3{font-size:1rem;margin:1.25rem 0 .25rem}
.cpjob p{margin:.25rem 0}
.cpjob a{color:var(--link)}
.cpjob code,.cpjob pre,.cpjob b{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.85em}
.cpjob code{color:var(--muted)}
.cpjob pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.6rem;
 white-space:pre-wrap;margin:.75rem 0}
.cpjob .muted{color:var(--muted)}
.cpjob .pill{display:inline-block;border-radius:1em;padding:0 .6em;font-size:.8rem;font-weight:600;
 background:var(--panel);color:var(--muted);border:1px solid var(--line);white-space:nowrap}
.cpjob .pill.good{background:var(--good-bg);color:var(--good);border-color:transparent}
.cpjob .pill.bad{background:var(--bad-bg);color:var(--bad);border-color:transparent}
.cpjob table{border-collapse:collapse;width:100%;font-size:.9rem}
.cpjob td,.cpjob th{border-bottom:1px solid var(--line);padding:.35rem .75rem .35rem 0;
 text-align:left;vertical-align:top;background:none;color:inherit}
.cpjob td.count{white-space:nowrap}
.cpjob details.test{border:1px solid var(--line);border-radius:8px;margin:.6rem 0;padding:0 1rem}
.cpjob details.test[open]{padding-bottom:1rem}
.cpjob summary{cursor:pointer;padding:.6rem 0}
.cpjob summary .name{font-weight:600}
.cpjob div.finding{border-left:4px solid var(--bad);background:var(--panel);padding:.5rem .9rem;
 border-radius:0 6px 6px 0;margin:.6rem 0}
.cpjob div.finding dl{margin:.4rem 0 0;display:grid;grid-template-columns:max-content 1fr;
 gap:.15rem .9rem;font-size:.9rem}
.cpjob div.finding dt{color:var(--muted)}
.cpjob div.finding dd{margin:0}
.cpjob .mark{display:inline-block;background:var(--bad);color:var(--bg);border-radius:1em;
 padding:0 .55em;font-size:.75rem;white-space:nowrap}
.cpjob .seq{position:relative;margin:.75rem 0;--t:4.5rem}
.cpjob .heads{position:relative;height:2rem;margin-left:var(--t)}
.cpjob .heads span{position:absolute;left:calc(100%*(var(--k) + .5)/var(--n));
 transform:translateX(-50%);max-width:calc(100%/var(--n));background:var(--panel);
 border:1px solid var(--line);border-radius:6px;padding:.15rem .7rem;font-size:.85rem;
 font-weight:600;white-space:nowrap}
.cpjob .lines{position:absolute;top:2rem;bottom:0;left:var(--t);right:0}
.cpjob .lines i{position:absolute;top:0;bottom:0;left:calc(100%*(var(--k) + .5)/var(--n));
 border-left:1px dashed var(--line)}
.cpjob ol{list-style:none;margin:0;padding:0;position:relative}
.cpjob li{margin:0;padding:.4rem 0;position:relative}
.cpjob .at{position:absolute;left:0;width:calc(var(--t) - .5rem);color:var(--muted);
 font-size:.8rem;font-variant-numeric:tabular-nums;text-align:right}
.cpjob .body{margin-left:var(--t)}
.cpjob .body>p{margin:0 auto;font-size:.85rem;text-align:center;
 margin-left:calc(100%*(var(--a) + .5)/var(--n));width:calc(100%*(var(--b) - var(--a))/var(--n));
 padding:0 .8rem}
.cpjob .body>p:not(.box)>:not(.mark,.states,.unseen){background:var(--bg)}
.cpjob .body>p.box{margin-left:calc(100%*var(--k)/var(--n) + 2%);width:calc(100%/var(--n) - 4%);
 background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.2rem .6rem}
.cpjob .result .body>p.box{border-color:var(--call)}
.cpjob .wrong .body>p.box{background:var(--bad-bg);border-color:var(--bad);color:var(--bad)}
.cpjob .arrow{display:block;position:relative;height:9px;color:var(--call);
 margin-left:calc(100%*(var(--a) + .5)/var(--n));width:calc(100%*(var(--b) - var(--a))/var(--n))}
.cpjob .wrong .arrow{color:var(--bad)}
.cpjob .arrow::before{content:"";position:absolute;left:2px;right:2px;top:4px;
 border-top:2px solid currentColor}
.cpjob .passed-over .arrow::before{border-top-style:dashed}
.cpjob .arrow::after{content:"";position:absolute;top:0;border:5px solid transparent}
.cpjob .arrow.right::after{right:0;border-left:8px solid currentColor;border-right:0}
.cpjob .arrow.left::after{left:0;border-right:8px solid currentColor;border-left:0}
.cpjob .error{color:var(--bad)}
.cpjob .states{display:inline-block;background:var(--panel);border:1px solid var(--line);
 border-radius:1em;padding:0 .6em;font-size:.78rem}
.cpjob .with{color:var(--good)}
.cpjob .with.own-role{color:var(--warn)}
.cpjob .with.other-job,.cpjob .with.nobody{color:var(--bad)}
.cpjob li.job,.cpjob li.repeat,.cpjob li.pause{margin-left:var(--t);text-align:center;
 font-size:.8rem;color:var(--muted)}
.cpjob li.job{border-top:1px solid var(--line);margin-top:.5rem}
.cpjob li.pause,.cpjob li.repeat{background:var(--bg);font-style:italic}
.cpjob .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:640px){
.cpjob{font-size:14px}
.cpjob .seq{--t:0rem}
.cpjob .at{position:static;display:inline-block;width:auto;background:var(--panel);
 border-radius:4px;padding:0 .4rem}
.cpjob .heads span{font-size:.75rem;padding:.15rem .35rem}
.cpjob .body>p{margin-left:0;width:100%;text-align:left;padding:0}
.cpjob .body>p.box{margin-left:0;width:100%;padding:.2rem .6rem}
.cpjob li.job,.cpjob li.repeat,.cpjob li.pause{text-align:left}
.cpjob details.test{padding:0 .6rem}
.cpjob div.finding dl{display:block}
.cpjob div.finding dt{margin-top:.3rem}
}
@media print{.cpjob details.test{break-inside:avoid}}
"""
)

PAGE_STYLE: Final = """
html{background:#fff}
@media (prefers-color-scheme:dark){html:not([data-theme=light]){background:#0d1117}}
html[data-theme=dark]{background:#0d1117}
body{margin:0}
body>.cpjob{max-width:1000px;margin:0 auto;padding:1.5rem 1rem 4rem}
"""
