// What catalogue D sends to the token endpoint: the form of an exchange that would be granted, to be spoilt by the test.
import { ACCESS_TOKEN, type Crew, EXCHANGE } from "./crew.ts"
import { type CallerName, TICKETS } from "./issuer-house.ts"

/** Another API, where the agent of the crew may do nothing. */
export const DEPLOYMENTS = "https://deployments.internal.example"

type Members = Readonly<Record<string, string>>

/** `agent`: whose token of its own is the subject token, as of when the form is made. */
export const exchangeForm =
  (agent: () => { readonly own: string }) =>
  (more: Members = {}): Members => ({
    grant_type: EXCHANGE,
    subject_token: agent().own,
    subject_token_type: ACCESS_TOKEN,
    resource: TICKETS,
    ...more,
  })

/** `authorization_details` that ask for reading the crew's ticket, with these changes. */
export const detail = (changes: object = {}): string =>
  JSON.stringify([
    { type: "task_grant", actions: ["tickets:read"], resources: ["tickets/SUP-1042"], ...changes },
  ])

/** Headers of a caller that sends its service token. */
export const asCaller = async (crew: Crew, name: CallerName) => ({
  authorization: `Bearer ${await crew.house.serviceToken(name)}`,
})
