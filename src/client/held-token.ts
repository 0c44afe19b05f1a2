// A task token in somebody's hands: it can be used, and it can't be printed by accident. It decides nothing about what
// the token grants; the API does.
const INSPECT = Symbol.for("nodejs.util.inspect.custom")

/**
 * A task token that prints as `[task token for <resource>]` in template strings, JSON, `console.log` and errors, and is
 * lost by `structuredClone`. `reveal()` is the one way to the text.
 */
export class HeldToken {
  /** The RFC 8707 resource URL of the API that takes this token, and no other does. */
  readonly resource: string
  readonly #text: string

  constructor(resource: string, text: string) {
    this.resource = resource
    this.#text = text
  }

  /** The token itself, for the Authorization header of a request to `resource`. Whoever has it can use it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return `[task token for ${this.resource}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [INSPECT](): string {
    return this.toString()
  }
}

/** One token of a task and what was said about it when it was minted. Times are epoch milliseconds. */
export interface TaskTokenHeld {
  readonly resource: string
  readonly token: HeldToken
  readonly tokenType: "Bearer" | "DPoP"
  /** By this computer's clock, counted from before the request was sent. */
  readonly expiresAt: number
  readonly renewAt: number
  /** The operations granted. */
  readonly scope: readonly string[]
  /** RFC 9396 grants as the token carries them. */
  readonly authorizationDetails: readonly unknown[]
}

/** A token in plain JSON, to be given to the agent's process on purpose: it holds the token's text. */
export interface HandedToken {
  readonly resource: string
  readonly accessToken: string
  readonly tokenType: "Bearer" | "DPoP"
  readonly expiresAt: number
  readonly renewAt: number
  readonly scope: readonly string[]
  readonly authorizationDetails: readonly unknown[]
}

export const handOver = ({ token, ...rest }: TaskTokenHeld): HandedToken => ({
  ...rest,
  accessToken: token.reveal(),
})

export const takeOver = ({ accessToken, ...rest }: HandedToken): TaskTokenHeld => ({
  ...rest,
  token: new HeldToken(rest.resource, accessToken),
})
