// The looks of what pages are made of: parts.ts and chart.ts say where each class stands.
export const COMPONENTS = `
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1rem 1.15rem;margin:0 0 1rem}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem;align-items:start;margin:0 0 1rem}
.columns>section{margin:0}
section>:last-child,section form>:last-child{margin-bottom:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:.75rem;margin:0 0 1rem;padding:0;list-style:none}
.tiles li{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem}
.tiles strong{display:block;font-size:1.6rem;line-height:1.2;font-weight:600;font-variant-numeric:tabular-nums}
.tiles a{color:inherit;text-decoration:none}.tiles a:hover .what{text-decoration:underline}
.what{color:var(--soft);font-size:.88rem}
.note{color:var(--soft);font-size:.9rem}
.good{color:var(--yes)}.bad{color:var(--no)}.warn{color:var(--watch)}
.tag{display:inline-block;font-size:.76rem;line-height:1.5;border:1px solid var(--line);border-radius:999px;padding:0 .55rem;color:var(--soft);white-space:nowrap}
.tag.good,.tag.bad,.tag.warn{border-color:currentColor}
.tag.good{color:var(--yes)}.tag.bad{color:var(--no)}.tag.warn{color:var(--watch)}
code{font:.88em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{margin:.5rem 0 .75rem;white-space:pre-wrap;overflow-wrap:anywhere;font:.82rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--wash);border-radius:6px;padding:.6rem .75rem}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.3rem 1.25rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.hash{word-break:break-all}
:where(section>ol,section>ul){padding-left:1.25rem}section>ol>li+li,section>ul:not(.tabs)>li+li{margin-top:.35rem}
td .note{display:block}
.empty{padding:1.5rem 0;text-align:center;color:var(--soft)}
.row{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr) 4rem;gap:.75rem;align-items:center;padding:.15rem 0}
.row .count{text-align:right;font-variant-numeric:tabular-nums}
.row>.none{color:var(--soft)}
.row svg{width:100%;height:.7rem;display:block;border-radius:4px;background:var(--wash)}
.allowed{fill:var(--bar)}.observed{fill:var(--watch)}.refused{fill:var(--no)}.quiet{fill:var(--rest)}
form.search{display:flex;flex-wrap:wrap;gap:.6rem .75rem;align-items:end;margin:0 0 1rem}
label{display:grid;gap:.2rem;font-size:.85rem;color:var(--soft)}
input,select,textarea{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--soft);border-radius:6px;padding:.35rem .55rem;min-width:0;max-width:100%;height:2.3rem}
::placeholder{color:var(--soft);opacity:1}
button,.button{font:inherit;font-weight:550;border:1px solid var(--soft);border-radius:6px;padding:.35rem .9rem;background:var(--paper);color:var(--ink);cursor:pointer;text-decoration:none;display:inline-block}
button:hover,.button:hover{background:var(--wash)}
button.main,a.main{background:var(--bar);border-color:var(--bar);color:var(--paper)}
button.danger{border-color:var(--no);color:var(--no)}
button.plain{border:0;padding:0;background:none;color:var(--bar);text-decoration:underline;text-underline-offset:.15em}
.actions{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin-top:.75rem}
p:has(.button)+.note,form+.note,dl+form,dl+.note{margin-top:.75rem}form:not(.search):not(.columns)>label{max-width:36rem}
.pages{display:flex;justify-content:space-between;gap:1rem;margin:.75rem 0 0}
.banner{border:1px solid currentColor;border-radius:10px;padding:.7rem 1rem;margin:0 0 1rem;background:var(--paper)}
@media(max-width:40rem){
dl{grid-template-columns:6.5rem minmax(0,1fr);gap:.3rem .75rem}dt{font-size:.9rem}dd:has(pre,br){grid-column:1/-1}
.tiles{grid-template-columns:1fr 1fr}.tiles li:last-child:nth-child(odd){grid-column:1/-1}
.row{grid-template-columns:minmax(0,1fr) max-content;gap:.1rem .75rem;padding:.25rem 0}.row svg{grid-row:2;grid-column:1/-1}
form.search label{flex:1 1 9rem}
}
`
