// How the console looks: one sheet for all its pages, served at an address made of its own digest, so that it is kept by
// browsers for good. Light and dark follow the reader's system. It decides nothing else.
import { createHash } from "node:crypto"
import { CHARTS } from "./style-chart.ts"
import { COMPONENTS } from "./style-components.ts"
import { PAGES } from "./style-pages.ts"
import { TABLES } from "./style-tables.ts"

const FRAME = `
:root{color-scheme:light dark;--ink:#18212c;--soft:#556270;--line:#dde3ea;--paper:#fff;--wash:#f4f6f8;--bar:#2a6a8c;--watch:#96610f;--no:#ab2f28;--yes:#23703f;--rest:#8594a3;--focus:#1d6fd1;--on:#e3edf3}
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#a0acba;--line:#2b3440;--paper:#141a21;--wash:#0e1318;--bar:#63abd0;--watch:#dfae55;--no:#f2918a;--yes:#72c894;--rest:#5f6f80;--focus:#7db4f5;--on:#1f2c37}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--wash);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
a{color:var(--bar);text-underline-offset:.15em}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,textarea:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem 1rem;z-index:1}
.frame{display:grid;grid-template-columns:13rem minmax(0,1fr);min-height:100vh}
.side{border-right:1px solid var(--line);padding:1.1rem .75rem;display:flex;flex-direction:column;gap:1rem;background:var(--paper)}
.side .brand{display:flex;align-items:center;gap:.5rem;font-weight:650;color:var(--ink);text-decoration:none;padding:0 .6rem}
.side .brand svg{width:1.25rem;height:1.25rem;fill:none;stroke:var(--bar);stroke-width:2}
.side ul{list-style:none;margin:0;padding:0;display:grid;gap:.1rem}
.side li a{display:flex;justify-content:space-between;gap:.5rem;padding:.35rem .6rem;border-radius:6px;color:var(--soft);text-decoration:none}
.side li a:hover{background:var(--wash);color:var(--ink)}
.side li a[aria-current]{background:var(--on);color:var(--ink);font-weight:600}
.who{margin-top:auto;padding:.75rem .6rem 0;border-top:1px solid var(--line);font-size:.85rem;color:var(--soft);overflow-wrap:anywhere}
.who form{margin-top:.4rem;display:flex;flex-wrap:wrap;gap:.15rem .75rem}.who .all{font-weight:400}
.alone{display:block}.alone .side{border:0;background:none;padding:2.5rem 1.75rem 0}.alone .side .brand{padding:0}.alone>*{max-width:46rem;margin:0 auto}
main{padding:1.5rem 1.75rem 4rem;max-width:76rem;width:100%}
.lead{color:var(--soft);margin:.15rem 0 1.25rem;max-width:80ch;overflow-wrap:anywhere;text-wrap:pretty}
h1{font-size:1.45rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0 0 .75rem}
h3{font-size:.92rem;margin:1rem 0 .4rem}
p{margin:.25rem 0}
.crumb{font-size:.85rem;color:var(--soft);margin:0 0 .35rem}
@media(max-width:52rem){.frame{display:block}.side{border-right:0;border-bottom:1px solid var(--line);padding:.6rem .5rem .5rem;display:grid;grid-template-columns:1fr auto;gap:.35rem 1rem;align-items:center}.side nav{grid-column:1/-1}.side ul{display:flex;flex-wrap:wrap;gap:0}.side li a{padding:.2rem .35rem;font-size:.9rem}.side .brand{padding:0 .35rem}.who{grid-row:1;grid-column:2;margin:0;padding:0 .4rem 0 0;border:0;text-align:right}.who .roles{display:none}.who form{margin:0;justify-content:end}main{padding:1.1rem .9rem 3rem}.alone .side{padding:1rem .9rem 0}}
@media print{.side,.skip{display:none}.frame{display:block}body{background:#fff}}
`

export const CONSOLE_STYLE = FRAME + COMPONENTS + TABLES + CHARTS + PAGES

const digest = createHash("sha256").update(CONSOLE_STYLE).digest("base64url").slice(0, 16)

/** Where it is served. Another sheet has another address. */
export const STYLE_PATH = `/console/style-${digest}.css`
