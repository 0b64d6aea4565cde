// Performs the six operations with the client that openapi-typescript made from
// the server's own document: node main.js URL, with the token in PORTICO_TOKEN.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

const client = createClient<paths>({
  baseUrl: process.argv[2],
  headers: { Authorization: `Bearer ${process.env.PORTICO_TOKEN}` },
});

function need<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  if (!answer.response.ok || answer.data === undefined) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function same(what: string, got: unknown, want: unknown): void {
  if (got !== want) throw new Error(`${what} is ${got}, not ${want}`);
}

const made = need("create", await client.POST("/v1/portal", { body: { name: "Generated in TypeScript" } }));
const path = { portal_id: made.id };
const changed = need("update", await client.PATCH("/v1/portal/{portal_id}", { params: { path }, body: { description: null } }));
same("the description", changed.description, null);
const invited = need("invite", await client.POST("/v1/portal/{portal_id}/users", {
  params: { path },
  body: { users: [{ email: "ada@example.com", first_name: "Ada", last_name: "" }], send_email: true, dry_run: false },
}));
same("the verdict", invited.users[0]?.status, "invited");
const users = need("list", await client.GET("/v1/portal/{portal_id}/users", { params: { path, query: { status: "invited" } } }));
same("the guests", users.length, 1);
need("remove", await client.DELETE("/v1/portal/{portal_id}/users/{user_id}", { params: { path: { ...path, user_id: users[0]!.id } } }));
const refused = await client.POST("/v1/portal", { body: { name: "" } });
same("the refusal", refused.error && refused.error.detail?.[0]?.type, "string_too_short");
need("delete", await client.DELETE("/v1/portal/{portal_id}", { params: { path } }));
