// The peer: oidc-provider on one port, everything in memory, configured to do the same work per request
// as this provider does: PKCE, two APIs with JWT access tokens (ES256, RS256), refresh rotation, and an
// interaction that signs one account in at once, so that no password hashing enters its rows.
//
//   node server.mjs PORT

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const REDIRECT_URI = 'http://localhost:8009/callback';
const CLIENT_SECRET = 'bench-secret-of-more-than-32-characters';
const APIS = {
  'https://es.bench.example': { alg: 'ES256', scope: 'es.read' },
  'https://rs.bench.example': { alg: 'RS256', scope: 'rs.read' },
};
// The public half of benchmarks/bound.py's key, which is derived from a word.
const BENCH_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'iixn8bc9B_tBX9QuXnOeH6EpGsCa0D5bVLaIjGAuKuE',
  y: 'z1oGWYBp_YktkSt54sYmzrk4p4iRqsLffBRQM1fjRMY',
};
const WEB_API = 'https://rs.bench.example';

// The bundled memory adapter keeps 1,000 entries; preparing codes for a run needs more, so: a plain Map.
const entries = new Map();
class MemoryAdapter {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload) {
    entries.set(this.key(id), payload);
    if (payload.uid) entries.set(`uid:${payload.uid}`, payload);
  }

  async find(id) { return entries.get(this.key(id)); }

  async findByUid(uid) { return entries.get(`uid:${uid}`); }

  async consume(id) { entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { entries.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of entries) if (payload.grantId === grantId) entries.delete(key);
  }
}

function privateJwk(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `bench-${alg}` };
}

const client = (metadata) => ({
  client_secret: CLIENT_SECRET,
  token_endpoint_auth_method: 'client_secret_basic',
  ...metadata,
});

const provider = new Provider(issuer, {
  adapter: MemoryAdapter,
  jwks: {
    keys: [
      privateJwk('rsa', { modulusLength: 2048 }, 'RS256'),
      privateJwk('ec', { namedCurve: 'P-256' }, 'ES256'),
    ],
  },
  cookies: { keys: ['bench'] },
  clients: [
    client({ client_id: 'svc', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }),
    {
      client_id: 'keyed',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [{ ...BENCH_KEY, kid: 'bench', use: 'sig', alg: 'ES256' }] },
    },
    client({
      client_id: 'bound',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [REDIRECT_URI],
      scope: 'openid offline_access',
      dpop_bound_access_tokens: true,
    }),
    client({
      client_id: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [REDIRECT_URI],
      scope: 'openid profile email offline_access',
    }),
  ],
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: 'Bench User', email: `${sub}@bench.example`, email_verified: true }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  expiresWithSession: () => false,
  issueRefreshToken: () => true,
  interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
  // The same as `require_consent: false`: a grant of its own for each authorization.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      accountId: ctx.oidc.session.accountId,
      clientId: ctx.oidc.client.clientId,
    });
    grant.addOIDCScope('openid profile email offline_access');
    grant.addResourceScope(WEB_API, 'rs.read');
    await grant.save();
    return grant;
  },
  ttl: {
    AccessToken: 600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    Grant: 86400,
    IdToken: 600,
    Interaction: 1800,
    RefreshToken: 86400,
    Session: 86400,
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, { clientId }) => (clientId === 'web' ? WEB_API : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: APIS[resource].scope,
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: APIS[resource].alg } },
      }),
    },
    dPoP: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    revocation: { enabled: true },
  },
});

const handle = provider.callback();
const server = createServer((req, res) => {
  if (!req.url.startsWith('/sign-in/')) return handle(req, res);
  return provider.interactionFinished(req, res, { login: { accountId: 'alice' } }).catch((error) => {
    res.statusCode = 400;
    res.end(String(error));
  });
});
server.keepAliveTimeout = 60000;
server.listen(port, '127.0.0.1', () => process.stdout.write(`ready ${issuer}\n`));
process.on('SIGTERM', () => process.exit(0));
