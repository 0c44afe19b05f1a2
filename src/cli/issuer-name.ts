// What is wrong where the issuer does not take a credential: often only the name that it was called by, which is the audience
// of whatever is shown to it, or that it is an API's. It decides whether that is so by the issuer's public metadata and by
// what was answered; nothing is tried again.
import { ClientError } from "../client/error.ts"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import { exchange } from "../remote/exchange.ts"

/** The refusal, and what was wrong. */
export class Misnamed extends ClientError {
  readonly hint: string

  constructor(refused: ClientError, hint: string) {
    super(refused.message, refused)
    this.hint = hint
  }
}

const METADATA = { maxBytes: 65_536, timeoutMilliseconds: 5000 }

/** The same calls. A credential that was not taken is Misnamed where the issuer has another name, or none is there. */
export function namingWrong(issuer: IssuerCalls): IssuerCalls {
  const told = async <T>(attempt: Promise<T>): Promise<T> => {
    try {
      return await attempt
    } catch (error) {
      const isOurs = error instanceof ClientError && error.code === "invalid_client"
      const hint = isOurs ? ((await wrongWith(issuer.issuer)) ?? unproved(error)) : undefined
      throw isOurs && hint !== undefined ? new Misnamed(error, hint) : error
    }
  }
  return {
    issuer: issuer.issuer,
    call: (...asked) => told(issuer.call(...asked)),
    headers: (...asked) => told(issuer.headers(...asked)),
    serviceToken: () => told(issuer.serviceToken()),
  }
}

/** Undefined where the name is right, or nothing was answered. */
async function wrongWith(given: string): Promise<string | undefined> {
  const address = `${given.replace(/\/$/, "")}/.well-known/oauth-authorization-server`
  const answer = await exchange(address, {}, METADATA).catch(() => undefined)
  if (!answer || answer.status >= 500) return undefined
  const name = nameIn(answer.text)
  if (name === undefined)
    return `${given} is no issuer (it has no metadata): check --issuer or TASKMINT_ISSUER`
  return name === given
    ? undefined
    : `The issuer there is called ${name}: give it that name with --issuer or TASKMINT_ISSUER`
}

/** An API's credential is taken with a proof alone; where a platform vouches, one comes along, by this computer's clock. */
const unproved = ({ message }: ClientError): string | undefined =>
  message.includes("invalid_dpop_proof")
    ? "An API's credential is for its verifier alone (`guard`): use an orchestrator's, or that of staff. Else compare the clocks"
    : undefined

function nameIn(text: string): string | undefined {
  try {
    const { issuer } = asRecord(JSON.parse(text))
    return typeof issuer === "string" ? issuer : undefined
  } catch {
    return undefined // no JSON, no metadata
  }
}
