output "app_name" {
  description = "Name of the deployed application"
  value       = juju_application.coordinator.name
}

output "model_uuid" {
  description = "UUID of the model that it is deployed in"
  value       = var.model_uuid
}

output "juju_credentials_secret_id" {
  description = "Id of the user secret with the Juju login"
  value       = local.secret_id
}

output "provides" {
  description = "The endpoints that other applications may be related to"
  value       = { backup = "backup", cos_agent = "cos-agent" }
}

output "requires" {
  description = "The coordinator's endpoints, each with the application that is related there"
  value       = { for endpoint, other in local.related : endpoint => other.name }

  # Whoever depends on this waits until the coordinator can do its work.
  depends_on = [juju_access_secret.login, juju_integration.related]
}
