// The looks of charts and of what stands beside them: chart.ts says where each class stands.
export const CHARTS = `
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.75rem;margin:0 0 1rem}
.chart{margin:0;background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem .7rem}
.chart figcaption{display:flex;justify-content:space-between;align-items:baseline;gap:.5rem;color:var(--soft);font-size:.88rem;margin:0 0 .5rem}
.chart figcaption strong{color:var(--ink);font-size:1.05rem;font-variant-numeric:tabular-nums}
.chart svg{display:block;width:100%;height:3.5rem}
.chart .ground{fill:var(--line)}
.chart rect:hover{opacity:.7}
.axis{display:flex;justify-content:space-between;gap:.5rem;color:var(--soft);font-size:.75rem;margin:.3rem 0 0;font-variant-numeric:tabular-nums}
.axis span:first-child{white-space:nowrap}
.chart figcaption .note{font-size:inherit}
.meter .quiet{fill:var(--line)}
.meter{white-space:nowrap;font-variant-numeric:tabular-nums}
.meter svg{width:3.5rem;height:.5rem;border-radius:3px;vertical-align:.05rem;margin-right:.25rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.word{white-space:nowrap}
section .chart{border:0;padding:0}
`
