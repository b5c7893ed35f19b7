# The coordinator next to charmed MAAS, in the model that the module maas-deploy has made.

terraform {
  required_version = ">= 1.6"

  required_providers {
    juju = {
      source  = "juju/juju"
      version = ">= 1.0.0, < 3.0.0"
    }
  }
}

variable "recipients" {
  description = "age public keys, one for each person who may open the passwords"
  type        = list(string)
}

variable "backup_bot_password" {
  description = "Password of the Juju user backup-bot, which has admin access to the model maas"
  type        = string
  sensitive   = true
}

# maas-deploy names its model maas and gives its UUID to nobody, so it is looked up.
data "juju_model" "maas" {
  name  = "maas"
  owner = "admin"
}

module "maas_backup_coordinator" {
  source = "../.."

  model_uuid = data.juju_model.maas.uuid
  recipients = var.recipients
  juju_login = {
    username = "backup-bot"
    password = var.backup_bot_password
  }

  config = {
    keep-daily   = 14
    keep-monthly = 12
  }
}

output "maas_backup_coordinator" {
  value = module.maas_backup_coordinator.requires
}
