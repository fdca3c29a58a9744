# The least rights of rotated for one path, on Vault and OpenBao. Here the mount is "secret", the path "apps/openclaw" and
# the keep "rotated", which no consumer's policy may cover. Add the first two blocks once more for each further path.

# "create" only where the path may be empty, or its newest version deleted.
path "secret/data/apps/openclaw" {
  capabilities = ["create", "read", "update"]
}
path "secret/metadata/apps/openclaw" {
  capabilities = ["patch", "read"]
}

# A mirror needs nothing of the keep.
path "secret/data/rotated/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/metadata/rotated/*" {
  capabilities = ["delete"]
}

# For tokens without the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
