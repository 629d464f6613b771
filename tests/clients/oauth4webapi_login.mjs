// A login with oauth4webapi at its strictest: discovery, registration, pushed request, PKCE, DPoP, iss, id_token.

import { createInterface } from 'node:readline'

import * as oauth from 'oauth4webapi'

const [issuer, redirectUri, scope] = process.argv.slice(2)
const http = { [oauth.allowInsecureRequests]: true }

async function discover() {
  const url = new URL(issuer)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http))
}

async function register(server) {
  const metadata = { redirect_uris: [redirectUri], client_name: 'Reading list', token_endpoint_auth_method: 'client_secret_basic' }
  return oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(server, metadata, http),
  )
}

async function resourceOf(path) {
  const url = new URL(issuer + path)
  return oauth.processResourceDiscoveryResponse(url, await oauth.resourceDiscoveryRequest(url, http))
}

async function login(server, client) {
  const auth = oauth.ClientSecretBasic(client.client_secret)
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const pushed = await oauth.processPushedAuthorizationResponse(
    server, client,
    await oauth.pushedAuthorizationRequest(server, client, auth, parameters, { DPoP, ...http }),
  )
  const address = new URL(server.authorization_endpoint)
  address.searchParams.set('client_id', client.client_id)
  address.searchParams.set('request_uri', pushed.request_uri)
  console.log('OPEN', address.href)

  const back = oauth.validateAuthResponse(server, client, new URL(await nextLine()), state)
  const answer = await oauth.authorizationCodeGrantRequest(
    server, client, auth, back, redirectUri, verifier, { DPoP, ...http },
  )
  const checks = scope.includes('openid') ? { expectedNonce: nonce, requireIdToken: true } : {}
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, checks)
  if (tokens.id_token) await oauth.validateApplicationLevelSignature(server, answer, http)
  return tokens
}

async function userinfo(server, client, tokens) {
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const answer = await oauth.userInfoRequest(server, client, tokens.access_token, http)
  return oauth.processUserInfoResponse(server, client, claims.sub, answer)
}

async function nextLine() {
  for await (const line of createInterface({ input: process.stdin })) return line
}

try {
  const server = await discover()
  const client = await register(server)
  const tokens = await login(server, client)
  const user = scope === 'openid profile email' ? await userinfo(server, client, tokens) : null
  const { resource } = await resourceOf('/api/v1/user/me')
  console.log(JSON.stringify({ scope: tokens.scope, user, resource, claims: oauth.getValidatedIdTokenClaims(tokens) }))
} catch (error) {
  console.log(JSON.stringify({ error: error.code ?? error.name, message: error.message }))
}
