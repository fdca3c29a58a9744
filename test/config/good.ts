/** A short configuration without a mistake; the tables of mistakes change one thing in it. */
export const GOOD = `providers:
  acme: { type: acme, project: proj_1, adminKey: { credential: acme-admin } }
stores:
  local: { type: file }
consumers:
  gateway: { type: gateway, url: ws://127.0.0.1:18789 }
credentials:
  prod:
    provider: acme
    store: { use: local, path: /keys.json, field: /acme }
    consumers: [{ use: gateway, provider: acme }]
    every: 30d
`;
