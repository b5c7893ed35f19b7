locals {
  # Whether there is a login is no secret; what is in it stays one.
  make_secret = nonsensitive(var.juju_login != null)
  secret_id   = local.make_secret ? juju_secret.login[0].secret_id : var.juju_credentials_secret_id

  # By the coordinator's endpoint: which application is related there, and at which endpoint.
  related = {
    maas-region   = { name = var.maas_region, endpoint = "juju-info" }
    postgresql    = { name = var.postgresql, endpoint = "juju-info" }
    s3-maas       = { name = var.s3_maas, endpoint = "s3-credentials" }
    s3-postgresql = { name = var.s3_postgresql, endpoint = "s3-credentials" }
  }
}

resource "juju_secret" "login" {
  count = local.make_secret ? 1 : 0

  model_uuid = var.model_uuid
  name       = "${var.app_name}-login"
  info       = "Juju login with which ${var.app_name} drives the other applications"

  value = { for key, value in {
    username  = var.juju_login.username
    password  = var.juju_login.password
    endpoints = var.juju_login.endpoints
    ca-cert   = var.juju_login.ca_cert
  } : key => value if value != null }
}

resource "juju_application" "coordinator" {
  model_uuid  = var.model_uuid
  name        = var.app_name
  constraints = var.constraints
  units       = var.machines == null ? var.units : null
  machines    = var.machines

  charm {
    name     = "maas-backup-coordinator"
    channel  = var.channel
    revision = var.revision
    base     = var.base
  }

  config = merge(var.config, {
    juju-credentials           = "secret:${local.secret_id}"
    recipients                 = join(" ", var.recipients)
    postgresql-backup-strategy = var.postgresql_backup_strategy
    }, var.maas_api_key_secret_id == null ? {} : {
    maas-api-key = "secret:${var.maas_api_key_secret_id}"
  })

  lifecycle {
    precondition {
      condition     = local.make_secret != (var.juju_credentials_secret_id != null)
      error_message = "Give either juju_login or juju_credentials_secret_id."
    }
  }
}

resource "juju_access_secret" "login" {
  model_uuid   = var.model_uuid
  applications = [juju_application.coordinator.name]
  secret_id    = local.secret_id
}

resource "juju_access_secret" "maas_api_key" {
  count = var.maas_api_key_secret_id == null ? 0 : 1

  model_uuid   = var.model_uuid
  applications = [juju_application.coordinator.name]
  secret_id    = var.maas_api_key_secret_id
}

resource "juju_integration" "related" {
  for_each = local.related

  model_uuid = var.model_uuid

  application {
    name     = juju_application.coordinator.name
    endpoint = each.key
  }

  application {
    name     = each.value.name
    endpoint = each.value.endpoint
  }
}
