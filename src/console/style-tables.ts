// The looks of tables, on the console's pages and in statements. On a phone each row of a wide one is a list, each value behind
// the title of its column (`data-of`).
export const TABLES = `
.scroll{overflow-x:auto;position:relative}
table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th{text-align:left;color:var(--soft);font-weight:500;padding:.2rem .9rem .35rem 0;white-space:nowrap}
td{padding:.4rem .9rem .4rem 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:break-word;min-width:4.5rem}
th.count,td.count{text-align:right;font-variant-numeric:tabular-nums;min-width:3rem}
td code{overflow-wrap:break-word}
@media(min-width:40rem){td time{white-space:nowrap}}
@media(max-width:40rem){
.wide thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.wide,.wide tbody,.wide tr{display:block}
.wide tr{border-top:1px solid var(--line);padding:.6rem 0}.wide tr:first-child{border-top:0;padding-top:0}.wide tr:last-child{padding-bottom:0}
.wide td,.wide td.count{display:flow-root;border:0;padding:.1rem 0 .1rem 7.25rem;text-align:left;overflow-wrap:anywhere}
.wide .word{white-space:normal}
.wide td:empty{display:none}
.wide td::before{content:attr(data-of);float:left;width:6.5rem;margin-left:-7.25rem;color:var(--soft);font-size:.9rem}
}
`
