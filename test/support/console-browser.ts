// A browser at the console, as far as it is needed: it keeps `__Host-` cookies, sends `SameSite=Strict` ones from our own pages
// alone, and says from where it comes. Pages are read by the test.
import { type House, ISSUER } from "./issuer-house.ts"
import { browse } from "./openid-provider.ts"

/** From where a request comes: typed in, a page of ours, a page of another site. */
export type From = "none" | "same-origin" | "cross-site"

export type ConsoleBrowser = ReturnType<typeof openBrowser>

export function openBrowser(house: Pick<House, "issuer">) {
  const cookies = new Map<string, { readonly value: string; readonly strict: boolean }>()
  const keep = (answer: Response) => {
    for (const set of answer.headers.getSetCookie()) {
      const [pair = "", ...attributes] = set.split("; ")
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]
      if (!name.startsWith("__Host-")) throw new Error(`a cookie by another name: ${name}`)
      for (const needed of ["Secure", "HttpOnly", "Path=/"])
        if (!attributes.includes(needed)) throw new Error(`a browser takes no ${name} without ${needed}`)
      if (attributes.includes("Max-Age=0")) cookies.delete(name)
      else cookies.set(name, { value, strict: attributes.includes("SameSite=Strict") })
    }
    return answer
  }
  const ask = async (method: string, path: string, from: From, more: RequestInit = {}) => {
    const sent = [...cookies].filter(([, { strict }]) => from !== "cross-site" || !strict)
    const cookie = sent.map(([name, { value }]) => `${name}=${value}`).join("; ")
    const headers = { "sec-fetch-site": from, ...(cookie !== "" && { cookie }), ...more.headers }
    return keep(await house.issuer.fetch(new Request(`${ISSUER}${path}`, { ...more, method, headers })))
  }
  const get = (path: string, from: From = "same-origin") => ask("GET", path, from)
  return {
    cookies,
    get,
    /** Sends a form of ours; with other headers, one of others. */
    post: (
      path: string,
      form: Record<string, string> = {},
      headers: Record<string, string> = { origin: ISSUER },
    ) =>
      ask("POST", path, "same-origin", {
        body: new URLSearchParams(form).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      }),
    /** Up to the provider's page. */
    async start(query = ""): Promise<URL> {
      const answer = await get(`/console/sign-in/start${query}`)
      if (answer.status !== 303) throw new Error(`no way to the provider: ${answer.status}`)
      return new URL(answer.headers.get("location") ?? "")
    },
    /** The whole way: to the provider, who signs in there, back again. Answers the page of ours that they come to. */
    async signIn(name: string, query = ""): Promise<Response> {
      const back = await browse((await this.start(query)).href, name)
      return this.back(back)
    },
    back: (to: URL): Promise<Response> => get(to.href.slice(ISSUER.length), "cross-site"),
  }
}
