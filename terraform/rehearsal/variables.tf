variable "set_file" {
  description = "File with the backup set, as show-backup format=json prints it: it names the channels and revisions"
  type        = string
}

variable "model" {
  description = "Name of the throw-away model; not the name of the model that made the set"
  type        = string
  default     = "maas-rehearsal"
  nullable    = false
}

variable "cloud" {
  description = "Name of the Juju cloud of the throw-away model; null takes the controller's"
  type        = string
  default     = null
}

variable "model_config" {
  description = "Options of the throw-away model, such as the LXD project that isolates its network"
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "postgresql_units" {
  description = "Units of postgresql: one is enough to rehearse a restore"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.postgresql_units >= 1
    error_message = "PostgreSQL needs at least one unit."
  }
}

variable "maas_region_config" {
  description = "Options of maas-region. Racks carry out power commands, so none is started here"
  type        = map(string)
  default     = { enable_rack_mode = "false" }
  nullable    = false
}

variable "postgresql_config" {
  description = "Options of postgresql that MAAS needs, as the site has them"
  type        = map(string)
  default = {
    experimental_max_connections = "300"
    plugin_btree_gin_enable      = "true"
  }
  nullable = false
}

variable "coordinator_channel" {
  description = "Channel of maas-backup-coordinator"
  type        = string
  default     = "latest/stable"
}

variable "coordinator_revision" {
  description = "Revision of maas-backup-coordinator; null takes the newest of the channel"
  type        = number
  default     = null
}

variable "s3_integrator_channel" {
  description = "Channel of s3-integrator: track 2, which takes its credentials from a secret"
  type        = string
  default     = "2/edge"
}

variable "s3" {
  description = "S3 server of the set, with keys that may read the set and write the result of a rehearsal. own_bucket is where PostgreSQL of the throw-away model keeps what it writes"
  type = object({
    access_key   = string
    secret_key   = string
    own_bucket   = string
    endpoint     = optional(string)
    region       = optional(string)
    uri_style    = optional(string, "path")
    tls_ca_chain = optional(string)
  })
  sensitive = true
}

variable "juju_login" {
  description = "Juju user that the coordinator acts as; the module gives it admin access to the throw-away model only"
  type = object({
    username  = string
    password  = string
    endpoints = optional(string)
    ca_cert   = optional(string)
  })
  sensitive = true
}

variable "recipients" {
  description = "age public keys (age1...); the coordinator does not start without one"
  type        = list(string)
}

variable "identity" {
  description = "age identity that opens the passwords of the set"
  type        = string
  sensitive   = true
}
