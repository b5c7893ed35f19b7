# A throw-away model in which the restore of one backup set is rehearsed.
# Up: terraform apply. Down: terraform destroy.

locals {
  set      = jsondecode(file(var.set_file))
  maas     = local.set.maas
  database = local.set.postgresql

  # By integrator: what it leads to. maas-region finds the set, PostgreSQL gets a place of its own.
  integrators = {
    s3-integrator-maas       = { bucket = local.maas.place.bucket, path = local.maas.place.path }
    s3-integrator-postgresql = { bucket = nonsensitive(var.s3.own_bucket), path = var.model }
  }

  connection = { for key, value in {
    endpoint     = nonsensitive(var.s3.endpoint)
    region       = nonsensitive(var.s3.region)
    s3-uri-style = nonsensitive(var.s3.uri_style)
    tls-ca-chain = nonsensitive(var.s3.tls_ca_chain)
  } : key => value if value != null }

  # Who is related to whom.
  related = {
    maas-db       = ["maas-region:maas-db", "postgresql:database"]
    s3-maas       = ["maas-region:s3-parameters", "s3-integrator-maas:s3-credentials"]
    s3-postgresql = ["postgresql:s3-parameters", "s3-integrator-postgresql:s3-credentials"]
  }
}

resource "juju_model" "rehearsal" {
  name   = var.model
  config = var.model_config

  dynamic "cloud" {
    for_each = var.cloud == null ? [] : [var.cloud]

    content {
      name = cloud.value
    }
  }

  lifecycle {
    precondition {
      condition     = var.model != local.set.model.name
      error_message = "The throw-away model needs another name than the model that made the set."
    }
  }
}

resource "juju_application" "maas_region" {
  model_uuid = juju_model.rehearsal.uuid
  name       = "maas-region"
  units      = length(local.maas.controllers)
  config     = var.maas_region_config

  charm {
    name     = local.maas.charm.charm
    channel  = local.maas.charm.channel
    revision = local.maas.charm.revision
  }
}

resource "juju_application" "postgresql" {
  model_uuid = juju_model.rehearsal.uuid
  name       = "postgresql"
  units      = var.postgresql_units
  config     = var.postgresql_config

  charm {
    name     = local.database.charm.charm
    channel  = local.database.charm.channel
    revision = local.database.charm.revision
  }
}

resource "juju_secret" "s3" {
  model_uuid = juju_model.rehearsal.uuid
  name       = "s3-credentials"
  info       = "Keys of S3 for a rehearsal"

  value = {
    access-key = var.s3.access_key
    secret-key = var.s3.secret_key
  }
}

resource "juju_application" "s3_integrator" {
  for_each = local.integrators

  model_uuid = juju_model.rehearsal.uuid
  name       = each.key
  config     = merge(local.connection, each.value, { credentials = "secret:${juju_secret.s3.secret_id}" })

  charm {
    name    = "s3-integrator"
    channel = var.s3_integrator_channel
  }
}

resource "juju_access_secret" "s3" {
  model_uuid   = juju_model.rehearsal.uuid
  applications = [for each in juju_application.s3_integrator : each.name]
  secret_id    = juju_secret.s3.secret_id
}

resource "juju_integration" "related" {
  for_each = local.related

  model_uuid = juju_model.rehearsal.uuid

  application {
    name     = split(":", each.value[0])[0]
    endpoint = split(":", each.value[0])[1]
  }

  application {
    name     = split(":", each.value[1])[0]
    endpoint = split(":", each.value[1])[1]
  }

  depends_on = [
    juju_application.maas_region,
    juju_application.postgresql,
    juju_application.s3_integrator,
  ]
}

resource "juju_access_model" "coordinator" {
  model_uuid = juju_model.rehearsal.uuid
  access     = "admin"
  users      = [nonsensitive(var.juju_login.username)]
}

# No schedule and no retention: nothing here begins by itself.
module "coordinator" {
  source = "../"

  model_uuid = juju_model.rehearsal.uuid
  channel    = var.coordinator_channel
  revision   = var.coordinator_revision
  recipients = var.recipients
  juju_login = var.juju_login

  depends_on = [juju_integration.related, juju_access_model.coordinator]
}

resource "juju_secret" "identity" {
  model_uuid = juju_model.rehearsal.uuid
  name       = "backup-identity"
  info       = "age identity that opens the passwords of the set"

  value = { identity = var.identity }
}

resource "juju_access_secret" "identity" {
  model_uuid   = juju_model.rehearsal.uuid
  applications = [module.coordinator.app_name]
  secret_id    = juju_secret.identity.secret_id
}
