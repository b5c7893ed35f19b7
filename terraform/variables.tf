variable "model_uuid" {
  description = "UUID of the model in which maas-region and postgresql are deployed"
  type        = string
}

variable "app_name" {
  description = "Name of the application in the model"
  type        = string
  default     = "maas-backup-coordinator"
}

variable "channel" {
  description = "Channel of the charm on Charmhub"
  type        = string
  default     = "latest/stable"
}

variable "revision" {
  description = "Revision of the charm; null takes the newest of the channel"
  type        = number
  default     = null
}

variable "base" {
  description = "Base of the coordinator's machines"
  type        = string
  default     = "ubuntu@24.04"
}

variable "units" {
  description = "How many units: one is enough, three carry on while a machine is down. Without effect when machines are given"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.units >= 1
    error_message = "The coordinator needs at least one unit."
  }
}

variable "machines" {
  description = "Ids of the machines to deploy to, a unit on each; null lets Juju add machines"
  type        = set(string)
  default     = null
}

variable "constraints" {
  description = "Constraints of the machines that Juju adds"
  type        = string
  default     = null
}

variable "recipients" {
  description = "age public keys (age1...) that the passwords in a backup set are sealed for"
  type        = list(string)

  validation {
    condition     = length(var.recipients) > 0 && alltrue([for key in var.recipients : startswith(key, "age1")])
    error_message = "At least one age X25519 public key (age1...) is needed: age-keygen makes a pair."
  }
}

variable "postgresql_backup_strategy" {
  description = "replica keeps PostgreSQL's units as Terraform knows them; scale-down removes them for a while, which Terraform sees as drift; auto chooses replica where the charm allows it, otherwise scale-down"
  type        = string
  default     = "replica"
  nullable    = false

  validation {
    condition     = contains(["auto", "replica", "scale-down"], var.postgresql_backup_strategy)
    error_message = "The strategy is auto, replica or scale-down."
  }
}

variable "config" {
  description = "Further options of the charm, such as keep-daily"
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "juju_login" {
  description = "Juju user with admin access to the model, for a secret that this module makes; the password is kept in Terraform's state. endpoints and ca_cert only where those of the unit's agent do not fit"
  type = object({
    username  = string
    password  = string
    endpoints = optional(string)
    ca_cert   = optional(string)
  })
  default   = null
  sensitive = true
}

variable "juju_credentials_secret_id" {
  description = "Id of a user secret with that login which was made elsewhere, instead of juju_login; this module grants it to the application"
  type        = string
  default     = null
}

variable "maas_api_key_secret_id" {
  description = "Id of a user secret with an API key of MAAS. Null: MAAS itself is not asked."
  type        = string
  default     = null
}

variable "maas_region" {
  description = "Name of the maas-region application"
  type        = string
  default     = "maas-region"
}

variable "postgresql" {
  description = "Name of the postgresql application"
  type        = string
  default     = "postgresql"
}

variable "s3_maas" {
  description = "Name of the s3-integrator application that maas-region uses"
  type        = string
  default     = "s3-integrator-maas"
}

variable "s3_postgresql" {
  description = "Name of the s3-integrator application that postgresql uses"
  type        = string
  default     = "s3-integrator-postgresql"
}
