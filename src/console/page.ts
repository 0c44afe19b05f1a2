// The frame of every page of the console: head, where one can go, who is signed in. It decides what a reader with these roles
// is offered; whether they may is decided where each page is asked for.
import { html, raw } from "hono/html"
import { STYLE_PATH } from "./style.ts"
import type { Content, Fragment } from "./values.ts"

/** Content-Security-Policy of the console: its own sheet and its own forms, no script, nothing from elsewhere. */
export const CONSOLE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

export type Role = "auditor" | "approver" | "operator"

/** Where one can go, in the order of the menu, and who finds it there. */
export const PLACES = [
  { path: "/console", title: "Overview", roles: ["auditor", "operator", "approver"] },
  { path: "/console/alarms", title: "Alarms", roles: ["auditor", "operator"] },
  { path: "/console/tasks", title: "Tasks", roles: ["auditor", "operator"] },
  { path: "/console/agents", title: "Agents", roles: ["auditor", "operator"] },
  { path: "/console/approvals", title: "Approvals", roles: ["approver", "auditor", "operator"] },
  { path: "/console/revocations", title: "Revocations", roles: ["auditor", "operator"] },
  { path: "/console/ledger", title: "Ledger", roles: ["auditor"] },
  { path: "/console/integrity", title: "Integrity", roles: ["auditor", "operator"] },
  { path: "/console/posture", title: "Posture", roles: ["auditor", "operator"] },
  { path: "/console/policy", title: "Policy", roles: ["auditor", "operator"] },
] as const satisfies readonly { path: string; title: string; roles: readonly Role[] }[]

export interface Reader {
  /** As the ledger names them. */
  readonly name: string
  readonly roles: readonly Role[]
}

export interface Page {
  readonly title: string
  /** The menu's entry it belongs to. */
  readonly place?: (typeof PLACES)[number]["path"]
  /** What the page is, in a sentence. */
  readonly lead?: Content
  /** Absent: nobody is signed in, and nothing is offered. */
  readonly reader?: Reader
  readonly body: Content
}

const PATHS = '<path d="M12 2 21 7v10l-9 5-9-5V7z"/><path d="m8 12 3 3 5-6"/>'
const MARK = html`<svg viewBox="0 0 24 24" aria-hidden="true">${raw(PATHS)}</svg>`

/** The same mark, as a file. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2a6a8c" stroke-width="2">${PATHS}</svg>`

/** The whole document. */
export function consolePage(page: Page): string {
  const { title, lead, body } = page
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · taskmint</title>
<link rel="stylesheet" href="${STYLE_PATH}">
<link rel="icon" href="/console/icon.svg">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<div class="frame${page.reader ? "" : " alone"}">
${sidePart(page)}
<main id="content">
<h1>${title}</h1>
<p class="lead">${lead ?? ""}</p>
${body}
</main>
</div>
</body>
</html>
`)
}

function sidePart({ reader, place }: Page): Fragment {
  const offered = reader ? PLACES.filter(({ roles }) => roles.some((one) => reader.roles.includes(one))) : []
  return html`<header class="side">
<a class="brand" href="/console">${MARK} taskmint</a>
${
  offered.length === 0
    ? ""
    : html`<nav aria-label="Console"><ul>
${offered.map(({ path, title }) => html`<li><a href="${path}"${path === place ? html` aria-current="page"` : ""}>${title}</a></li>`)}
</ul></nav>`
}
${
  reader
    ? html`<div class="who"><div>${reader.name}</div><div class="roles">${reader.roles.join(", ")}</div>
<form method="post" action="/console/sign-out"><button class="plain">Sign out</button>
<button class="plain all" name="everywhere" value="yes">in all browsers</button></form></div>`
    : ""
}
</header>`
}
