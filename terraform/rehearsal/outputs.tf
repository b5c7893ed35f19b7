output "model" {
  description = "Name of the throw-away model"
  value       = juju_model.rehearsal.name
}

output "rehearse" {
  description = "The command that rehearses the restore, once MAAS has an API key (maas-api-key)"
  value = join(" ", [
    "juju run -m ${juju_model.rehearsal.name} ${module.coordinator.app_name}/leader restore-all",
    "backup-id=${local.set["backup-id"]} identity=secret:${juju_secret.identity.secret_id}",
    "rehearsal=true confirm=true",
  ])

  # Whoever types it needs everything to be there.
  depends_on = [juju_access_secret.identity]
}
