// The looks of single pages: the time line of a task, its delegations, entries of the ledger.
export const PAGES = `
.lanes{display:grid;gap:.4rem}
.lane{display:grid;grid-template-columns:minmax(7rem,15rem) minmax(0,1fr);gap:.75rem;align-items:center;font-size:.88rem}
.lane>span{display:flex;gap:.75rem;align-items:baseline;overflow-wrap:anywhere}.lane .note{flex:1 1 0;min-width:4rem;text-align:right;font-size:.82rem}
.lane svg{display:block;width:100%;height:1.3rem;background:var(--wash);border-radius:4px;overflow:hidden}
.lane svg.tall{height:3.25rem}
.lane svg>rect{stroke:var(--wash)}.lane .now{fill:var(--focus);stroke:none}
.agreed{fill:var(--yes)}
.axis>div{display:flex;justify-content:space-between;color:var(--soft);font-variant-numeric:tabular-nums}
details{margin-top:.5rem}summary{cursor:pointer;color:var(--soft);font-size:.9rem}
.tree ul{list-style:none;margin:.25rem 0 0 .35rem;padding-left:1rem;border-left:2px solid var(--line)}
.tree li{margin:.35rem 0}.tree .note{display:block}
.tabs{display:flex;gap:.4rem;flex-wrap:wrap;margin:0 0 1rem;padding:0;list-style:none}
.tabs a{display:block;padding:.25rem .8rem;border:1px solid var(--line);border-radius:999px;text-decoration:none;color:var(--soft);background:var(--paper)}
.tabs a[aria-current]{background:var(--on);color:var(--ink);font-weight:600}
form label+label,form label+.actions{margin-top:.6rem}form.search label,form.columns label{margin:0}.lead+.actions{margin-bottom:1rem}
@media(max-width:40rem){.lane{grid-template-columns:minmax(0,1fr);gap:.1rem}}
`
