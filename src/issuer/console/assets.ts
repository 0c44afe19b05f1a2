// What the console's pages load: the sheet and the mark, both from here, both in memory. There is no folder to walk out of.
import { ICON } from "../../console/page.ts"
import { CONSOLE_STYLE, STYLE_PATH } from "../../console/style.ts"
import { type Endpoint, open } from "../endpoint.ts"

/** An address made of the digest of what it answers. */
const FOR_GOOD = "public, max-age=31536000, immutable"
const FOR_A_DAY = "public, max-age=86400"

export const assetEndpoints = (): Endpoint[] => [
  asset(STYLE_PATH, "The console's style sheet", CONSOLE_STYLE, "text/css; charset=utf-8", FOR_GOOD),
  asset("/console/icon.svg", "The console's mark", ICON, "image/svg+xml", FOR_A_DAY),
]

const asset = (path: string, summary: string, text: string, type: string, kept: string): Endpoint =>
  open({
    method: "get",
    path,
    summary,
    group: "console",
    answers: { 200: { description: "As it is" } },
    run: () =>
      new Response(text, {
        headers: {
          "content-type": type,
          "cache-control": kept,
          "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
          "x-content-type-options": "nosniff",
          "cross-origin-resource-policy": "same-origin",
        },
      }),
  })
