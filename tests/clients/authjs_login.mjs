// A login with Auth.js as a settings page fills it: issuer, id and secret; a nonce instead of PKCE.

import { createInterface } from 'node:readline'

import { Auth, skipCSRFCheck } from '@auth/core'

const [issuer, clientId, clientSecret] = process.argv.slice(2)
const base = 'http://localhost:8765/auth'
const jar = new Map()
let signedIn = null

const config = {
  basePath: '/auth',
  secret: 'only for this test, and for nothing else',
  trustHost: true,
  skipCSRFCheck,
  logger: { error: (error) => console.error(error), warn() {}, debug() {} },
  providers: [
    { id: 'github', name: 'GitHub', type: 'oidc', issuer, clientId, clientSecret, checks: ['state', 'nonce'] },
  ],
  callbacks: { signIn: ({ profile }) => Boolean((signedIn = profile)) },
}

async function browse(url, method) {
  const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }
  const answer = await Auth(new Request(url, { method, headers }), config)
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
    jar.set(name, value)
  }
  return answer
}

async function nextLine() {
  for await (const line of createInterface({ input: process.stdin })) return line
}

const sent = await browse(`${base}/signin/github`, 'POST')
console.log('OPEN', sent.headers.get('location'))
await browse(await nextLine(), 'GET')
const session = await (await browse(`${base}/session`, 'GET')).json()
console.log(JSON.stringify({ profile: signedIn, session }))
