// How the page of a statement looks: one sheet inside the page, so that a saved page is whole. Light and dark, a phone's width
// and paper. It decides nothing else.
import { TABLES } from "./style-tables.ts"

export const STATEMENT_STYLE = `${TABLES}
:root{color-scheme:light dark;--ink:#18212c;--soft:#556270;--line:#dde3ea;--paper:#fff;--wash:#f4f6f8;--bar:#2a6a8c;--watch:#855a0f;--no:#ab2f28;--yes:#23703f}
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#a0acba;--line:#2b3440;--paper:#141a21;--wash:#0e1318;--bar:#63abd0;--watch:#dfae55;--no:#f2918a;--yes:#72c894}}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
header{margin-bottom:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 .75rem}
p{margin:.25rem 0}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1rem 1.15rem;margin:0 0 1rem}
.eyebrow{color:var(--soft);font-size:.85rem;letter-spacing:.02em}
.purpose{font-size:1.05rem;color:var(--soft);overflow-wrap:anywhere}
.state{display:inline-block;border-radius:999px;padding:.1rem .7rem;font-size:.85rem;font-weight:600;border:1px solid currentColor}
.final{color:var(--yes)}.provisional{color:var(--watch)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
code{font:.88em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.hash{word-break:break-all}
.rule{border-top:1px solid var(--line);padding:.75rem 0}
.rule:first-of-type{border-top:0;padding-top:0}
.rule>p{margin-bottom:.4rem}
.row{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr) 4rem;gap:.75rem;align-items:center;padding:.15rem 0}
.row .count{text-align:right;font-variant-numeric:tabular-nums}
.row svg{width:100%;height:.7rem;display:block;border-radius:4px;background:var(--wash)}
.allowed{fill:var(--bar)}.observed{fill:var(--watch)}
.never .count,.note{color:var(--soft)}
.never code{opacity:.7}
.tag{font-size:.75rem;border:1px solid var(--line);border-radius:4px;padding:0 .35rem;color:var(--soft);white-space:nowrap}
.warn{color:var(--no)}
pre{margin:.5rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;font:.8rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--soft)}
@media(max-width:40rem){main{padding:1rem .75rem 3rem}.row{grid-template-columns:minmax(0,1fr) max-content;gap:.1rem .75rem;padding:.25rem 0}.row svg{grid-row:2;grid-column:1/-1}dl{grid-template-columns:6.5rem minmax(0,1fr);gap:.3rem .75rem}dt{font-size:.9rem}dd:has(pre){grid-column:1/-1}}
@media print{body{background:#fff}section{break-inside:avoid;border-color:#bbb}}
`
