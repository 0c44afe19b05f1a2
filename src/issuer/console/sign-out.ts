// The end of a session by whoever has it. It ends here; what their provider remembers of them is between the two.
import { refuse } from "../../errors.ts"
import { type Endpoint, open } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { noSession } from "./cookie.ts"
import { isOwnForm, onward, SIGN_IN_PATH } from "./route.ts"
import { withCookies } from "./sign-in.ts"

export const signOut = ({ issuer, sessions }: Rooms): Endpoint =>
  open({
    method: "post",
    path: "/console/sign-out",
    summary: "Ends the session",
    group: "console",
    answers: { 303: { description: "Done, or there was none: on to signing in" } },
    async run(request) {
      if (!isOwnForm(issuer, request.headers))
        return refuse("role_missing", "[origin] a form of another site")
      await sessions.leave(request)
      return withCookies(onward(SIGN_IN_PATH), noSession)
    },
  })
