// The end of a session by whoever has it. It ends here; what their provider remembers of them is between the two.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../../errors.ts"
import { type Endpoint, formBody, open, readWith } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { noSession } from "./cookie.ts"
import { isOwnForm, onward, SIGN_IN_PATH } from "./route.ts"
import { withCookies } from "./sign-in.ts"

const Form = z.strictObject({
  everywhere: z.literal("yes").optional().openapi({ description: "Also the person's other sessions" }),
})

export const signOut = ({ issuer, sessions }: Rooms): Endpoint =>
  open({
    method: "post",
    path: "/console/sign-out",
    summary: "Ends the session, or all of the person",
    group: "console",
    form: Form,
    answers: { 303: { description: "Done, or there was none: on to signing in" } },
    async run(request) {
      if (!isOwnForm(issuer, request.headers))
        return refuse("form_foreign", "[origin] a form of another site")
      const form = await readWith(request, { ...formBody(Form), optional: true })
      if (form instanceof Refusal) return form
      await sessions.leave(request, form?.everywhere === "yes")
      return withCookies(onward(SIGN_IN_PATH), noSession)
    },
  })
