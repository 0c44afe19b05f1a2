// How lately somebody must have shown who they are to decide something, wherever they do it.
export const FRESH_SECONDS = 900
