# The least rights of rotated for the secret-ids of one role, on Vault and OpenBao. Here the method is mounted at "approle", and
# the role is "rotated". Give it beside the rights of a store, examples/vault-policy.hcl, where the role opens one.
path "auth/approle/role/rotated" {
  capabilities = ["read"]
}
path "auth/approle/role/rotated/role-id" {
  capabilities = ["read"]
}
path "auth/approle/role/rotated/secret-id" {
  capabilities = ["list", "update"]
}
path "auth/approle/role/rotated/secret-id/lookup" {
  capabilities = ["update"]
}
path "auth/approle/role/rotated/secret-id-accessor/lookup" {
  capabilities = ["update"]
}
path "auth/approle/role/rotated/secret-id-accessor/destroy" {
  capabilities = ["update"]
}

# To find the tokens that were born of an old secret-id, and to revoke them. These are rights over every token of the namespace:
# Vault knows no smaller ones. Keep rotated in a namespace of its own where that is too much.
path "auth/token/accessors" {
  capabilities = ["list", "sudo"]
}
path "auth/token/lookup-accessor" {
  capabilities = ["update"]
}
path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}

# For tokens without the default policy.
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
