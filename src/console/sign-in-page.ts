// The pages around signing in: where to, how it is set up where nobody can, and the step after it. Plain data in, HTML out.
import { html } from "hono/html"
import { consolePage } from "./page.ts"
import { section } from "./parts.ts"
import type { Fragment } from "./values.ts"

export interface SignInShown {
  /** The provider's name in the policy. */
  readonly provider: string
  /** Where signing in begins. */
  readonly href: string
  /** They are signed in, and have to show who they are again. */
  readonly again: boolean
  /** They came by a link of another site, with which no browser sends their session: where it leads, by a link of ours. */
  readonly session?: string | undefined
}

export const signInPage = ({ provider, href, again, session }: SignInShown): string =>
  again
    ? consolePage({
        title: "Show who you are again",
        lead: "What you are about to do asks for a sign-in of the last 15 minutes. Nothing was done yet.",
        body: goOn(href, `Go on to ${provider}`),
      })
    : consolePage({
        title: "Sign in",
        lead: "The console is for the people whom the policy names as auditors, approvers and operators.",
        body: html`${session === undefined ? "" : goOnSignedIn(session)}${goOn(href, `Sign in with ${provider}`)}`,
      })

const goOnSignedIn = (href: string): Fragment =>
  html`<section aria-label="You came by a link"><p>You came by a link from elsewhere. If you are signed in here, <a href="${href}">go on</a>.</p></section>
`

const goOn = (href: string, text: string): Fragment =>
  html`<section aria-label="${text}"><p><a class="button main" href="${href}">${text}</a></p>
<p class="note">You are sent to your provider and come back here. A session ends after 15 minutes without a request, and after
8 hours in any case.</p></section>`

export interface SetUpShown {
  /** Why nobody can sign in now. */
  readonly why: "none" | "several" | "unknown" | "no_audience"
  readonly redirectUri: string
  /** Whether links are to be had that sign in. */
  readonly links: boolean
}

const WHY: Readonly<Record<SetUpShown["why"], string>> = {
  none: "The policy names no staff who sign in: no entry of staff has an openid rule, or its provider is disabled.",
  several:
    "The policy's staff signs in at several providers, and the console at one: TASKMINT_CONSOLE_PROVIDER names it.",
  unknown: "TASKMINT_CONSOLE_PROVIDER names a provider that the policy does not have, or that is disabled.",
  no_audience: "The provider has no audience in the policy, so its tokens for people are taken from nobody.",
}

const EXAMPLE = `identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint, name_claim: email }
staff:
  security-leads:
    roles: [auditor, operator]
    authenticate: [{ openid: { provider: people, claims: { groups: security-leads } } }]`

export const setUpPage = ({ why, redirectUri, links }: SetUpShown): string =>
  consolePage({
    title: "Nobody can sign in yet",
    lead: WHY[why],
    body: html`${
      links
        ? section(
            "In development",
            html`<p>The issuer prints a link when it starts, which signs in once, within 60 seconds. Start it again for another one.</p>`,
          )
        : ""
    }
${section(
  "How it is set up",
  html`<ol>
<li>Register a client at your OpenID provider, with the redirect URI <code>${redirectUri}</code>.</li>
<li>Name the provider and who of its people is staff in the policy:<pre><code>${EXAMPLE}</code></pre></li>
<li>Ask the provider for the scopes that bring those claims: <code>TASKMINT_CONSOLE_SCOPE</code>, as in <code>openid email groups</code>.</li>
<li>Where the client has a secret, put it into a file, and the file's name into <code>TASKMINT_CONSOLE_CLIENT_SECRET_FILE</code>.</li>
</ol>
<p class="note">What else there is to know is in docs/console.md.</p>`,
)}`,
  })

/** The step after a sign-in, where the browser does not go on by itself. */
export const onwardPage = (to: string, name: string): string =>
  consolePage({
    title: "Signed in",
    lead: html`You are ${name}.`,
    body: html`<p><a class="button main" href="${to}">Go on</a></p>`,
  })
