/** Signs people in with GitHub through a Trackeep broker (code mode) and tracks their repositories. */

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import sqlite from "node-sqlite3-wasm";

const PORT = Number(process.env.PORT ?? 3000);
const BASE = process.env.BASE_URL ?? `http://localhost:${PORT}`;
const BROKER = process.env.BROKER_URL ?? "http://localhost:9090";
const GITHUB = process.env.GITHUB_API_URL ?? "https://api.github.com";
const DATA = process.env.DATA_DIR ?? join(import.meta.dirname, "data");
const COOKIE = { secure: BASE.startsWith("https:"), httpOnly: true, sameSite: "lax" };
const [LOGIN, SESSION] = ["login", "session"].map((name) => (COOKIE.secure ? "__Host-" : "example-") + name);
const NEEDED = ["exp", "iat", "jti", "sub", "nonce", "github_id", "username", "access_token", "expires_at"];

const keyFile = join(DATA, "key");
mkdirSync(DATA, { mode: 0o700, recursive: true });
if (!existsSync(keyFile)) writeFileSync(keyFile, randomBytes(32), { mode: 0o600, flag: "wx" });
const KEY = readFileSync(keyFile);
if (KEY.length !== 32) throw new Error(`${keyFile} is not a key of 32 bytes.`);
const db = new sqlite.Database(join(DATA, "example.db"));
db.exec(`
  CREATE TABLE IF NOT EXISTS sessions (id PRIMARY KEY, jti UNIQUE, github_id, username, token, expires_at);
  CREATE TABLE IF NOT EXISTS activity (github_id, repository, commits, pulls, branches, last_activity,
    PRIMARY KEY (github_id, repository));`);
// A token that names a key we do not know makes us fetch the broker's keys, at most once a minute.
const KEYS = createRemoteJWKSet(new URL(`${BROKER}/.well-known/jwks.json`), { cooldownDuration: 60_000 });
const [seen, pausedUntil] = [new Map(), new Map()];

const time = () => Date.now() / 1000;
const random = () => randomBytes(32).toString("base64url");
/** base64url(SHA-256(text)): the code_challenge, the nonce claim, the id of a session. */
const digest = (text) => createHash("sha256").update(text).digest("base64url");
const refused = (status, message) => Object.assign(new Error(message), { status });

/** The claims of a token made by our broker, for us, for this login, just now; else it throws. */
export async function verify(token, nonce, now, issuer = BROKER, audience = BASE) {
  const { payload: claims, protectedHeader: header } = await jwtVerify(token, KEYS, {
    algorithms: ["ES256"], // our choice, never the token's
    issuer, audience, typ: "trackeep+jwt", requiredClaims: NEEDED,
    // Two minutes for its way to us, and one by which clocks may differ.
    currentDate: new Date(now * 1000), maxTokenAge: 120, clockTolerance: 60,
  });
  const ours = claims.nonce === nonce && claims.aud === audience && claims.sub === String(claims.github_id);
  if (!ours || !claims.jti || !header.kid) throw new Error("This token does not belong to this login.");
  return claims;
}

/** AES-256-GCM, together with the id of the token's row: in another row it opens nothing. */
function seal(token, id) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", KEY, nonce).setAAD(Buffer.from(id));
  return Buffer.concat([nonce, cipher.update(token), cipher.final(), cipher.getAuthTag()]);
}

function unseal(sealed, id) {
  const [nonce, text, tag] = [sealed.subarray(0, 12), sealed.subarray(12, -16), sealed.subarray(-16)];
  const cipher = createDecipheriv("aes-256-gcm", KEY, nonce).setAAD(Buffer.from(id)).setAuthTag(tag);
  return cipher.update(text, null, "utf8") + cipher.final("utf8");
}

/** All pages of one of GitHub's lists; unchanged pages cost nothing, and GitHub's limits are obeyed. */
async function github(session, path) {
  const [found, token] = [[], session.token];
  for (let url = GITHUB + path; url; ) {
    const pause = pausedUntil.get(token) ?? 0;
    if (time() < pause) throw refused(503, `GitHub asks us to wait until ${new Date(pause * 1000)}.`);
    const known = seen.get(token + url);
    const condition = known && { "If-None-Match": known.etag };
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}`, ...condition } });
    const told = (name) => answer.headers.get(name);
    const limited = answer.status === 403 || answer.status === 429;
    if (limited && told("retry-after")) {
      pausedUntil.set(token, time() + Number(told("retry-after")));
    } else if (limited && told("x-ratelimit-remaining") === "0") {
      pausedUntil.set(token, Number(told("x-ratelimit-reset")));
    } else if (answer.status === 200 || answer.status === 304) {
      const next = /<([^>]+)>; rel="next"/.exec(told("link"))?.[1];
      const page = answer.status === 304 ? known : { etag: told("etag"), next, items: await answer.json() };
      seen.set(token + url, page);
      found.push(...page.items);
      url = next ?? page.next;
    } else {
      if (answer.status === 401) forget(session);
      throw refused(502, `GitHub answered ${answer.status}.`);
    }
  }
  return found;
}

function cookie(req, name) {
  return new Map((req.headers.cookie ?? "").split("; ").map((pair) => pair.split("="))).get(name) ?? "";
}

/** The session of who asks, GitHub's token in clear; null: they have to sign in, perhaps once more. */
function sessionOf(req) {
  if (req.method === "POST" && req.headers.origin !== BASE) throw refused(403, "Not from a page of ours.");
  const query = "SELECT * FROM sessions WHERE id = ? AND expires_at > ?";
  const row = db.get(query, [digest(cookie(req, SESSION)), time()]);
  try {
    return row && { ...row, token: unseal(Buffer.from(row.token), row.id) };
  } catch {
    return null;
  }
}

const ending = "UPDATE sessions SET token = NULL, expires_at = ? WHERE id = ?";
const forget = (session) => (seen.clear(), db.run(ending, [time(), session.id]));

const app = express().set("views", import.meta.dirname).disable("x-powered-by");
const show = (res, values) => res.render("page.ejs", { message: null, session: null, ...values });

app.get("/", async (req, res) => {
  const session = sessionOf(req);
  if (!session) return show(res);
  const tracked = db.all("SELECT * FROM activity WHERE github_id = ?", [session.github_id]);
  show(res, { session, tracked, repositories: await github(session, "/user/repos?per_page=100") });
});

app.get("/auth/login", (req, res) => {
  const [state, verifier] = [random(), random()];
  const pkce = { code_challenge: digest(verifier), code_challenge_method: "S256" };
  res.cookie(LOGIN, `${state}.${verifier}`, { ...COOKIE, maxAge: 600_000 });
  res.redirect(303, `${BROKER}/auth/github?${new URLSearchParams({ redirect_uri: BASE, state, ...pkce })}`);
});

app.get("/auth/callback", async (req, res) => {
  const [state, verifier] = cookie(req, LOGIN).split(".");
  const { iss, code } = req.query;
  // Only the browser that began this login may end it, and only with an answer of our broker.
  const ours = state && req.query.state === state && iss === BROKER;
  if (!ours) throw refused(400, "This browser did not begin this login.");
  const form = { grant_type: "authorization_code", code, code_verifier: verifier };
  const body = new URLSearchParams({ ...form, redirect_uri: BASE, client_id: BASE });
  const answer = await fetch(`${BROKER}/token`, { method: "POST", body });
  const secret = random();
  try {
    const claims = await verify((await answer.json()).token, digest(state), time());
    const [id, { jti, github_id, username, expires_at }] = [digest(secret), claims];
    const row = [id, jti, github_id, username, seal(claims.access_token, id), expires_at];
    // `jti` is unique: no token is taken twice; one that is older than three minutes never is.
    db.run("DELETE FROM sessions WHERE expires_at < ?", [time() - 180]);
    db.run("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", row);
    res.cookie(SESSION, secret, { ...COOKIE, maxAge: (expires_at - time()) * 1000 });
  } catch {
    throw refused(400, "This login is not valid.");
  }
  res.redirect(303, `${BASE}/`);
});

app.post("/logout", (req, res) => {
  const session = sessionOf(req);
  if (session) forget(session);
  res.clearCookie(SESSION, COOKIE).redirect(303, `${BASE}/`);
});

app.post("/track/:owner/:name", async (req, res) => {
  const [session, repository] = [sessionOf(req), `${req.params.owner}/${req.params.name}`];
  if (session) {
    const commits = await github(session, `/repos/${repository}/commits?per_page=100`);
    const pulls = await github(session, `/repos/${repository}/pulls?state=all&per_page=100`);
    const branches = await github(session, `/repos/${repository}/branches?per_page=100`);
    const dates = commits.map((each) => each.commit.committer.date);
    const last = [...dates, ...pulls.map((each) => each.updated_at)].sort().at(-1) ?? null;
    const row = [session.github_id, repository, commits.length, pulls.length, branches.length, last];
    db.run("INSERT OR REPLACE INTO activity VALUES (?, ?, ?, ?, ?, ?)", row);
  }
  res.redirect(303, `${BASE}/`);
});

// Express tells this from other handlers by its four parameters.
app.use((error, req, res, next) => {
  const { status = 500, message } = error;
  show(res.status(status), { message: status === 500 ? "Something went wrong here." : message });
});

if (process.argv[1] === import.meta.filename) app.listen(PORT, "127.0.0.1");
