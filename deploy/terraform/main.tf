# Who the bot is, and exactly what it may do. No project-wide run.admin, no run.developer, no key files.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

provider "google" {
  project = var.bot_project
  region  = var.region
}

locals {
  bot      = "serviceAccount:${google_service_account.bot.email}"
  projects = toset([for one in var.services : one.project])
  accounts = { for one in var.services : one.runs_as => one.project... }
}

resource "google_service_account" "bot" {
  account_id   = "release-bot"
  display_name = "Release Bot"
}

# Change one service: its template and its traffic. Nothing else, and nothing of its neighbours.
resource "google_project_iam_custom_role" "deployer" {
  for_each    = local.projects
  project     = each.value
  role_id     = "releaseBotDeployer"
  title       = "Release Bot: deploy"
  description = "Write the template and the traffic of a service it is bound to."
  permissions = ["run.services.get", "run.services.update"]
}

# Look at what runs, and at how a write ended. Revisions and operations live on the location.
resource "google_project_iam_custom_role" "reader" {
  for_each    = local.projects
  project     = each.value
  role_id     = "releaseBotReader"
  title       = "Release Bot: look"
  description = "Read revisions, operations and request metrics."
  permissions = [
    "monitoring.timeSeries.list",
    "run.operations.get",
    "run.revisions.get",
    "run.revisions.list",
    "run.services.list",
  ]
}

resource "google_cloud_run_v2_service_iam_member" "deployer" {
  for_each = var.services
  project  = each.value.project
  location = each.value.region
  name     = each.value.service
  role     = google_project_iam_custom_role.deployer[each.value.project].name
  member   = local.bot
}

# The smoke test asks the new revision at its own address; a service that is not public must let it.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = { for name, one in var.services : name => one if !one.public }
  project  = each.value.project
  location = each.value.region
  name     = each.value.service
  role     = "roles/run.invoker"
  member   = local.bot
}

resource "google_project_iam_member" "reader" {
  for_each = local.projects
  project  = each.value
  role     = google_project_iam_custom_role.reader[each.value].name
  member   = local.bot
}

# A new revision runs as the service's own account, so the bot must be allowed to say so; on that account only.
resource "google_service_account_iam_member" "acts_as" {
  for_each           = local.accounts
  service_account_id = "projects/${each.value[0]}/serviceAccounts/${each.key}"
  role               = "roles/iam.serviceAccountUser"
  member             = local.bot
}

# Whoever deploys an image must be able to read it.
resource "google_artifact_registry_repository_iam_member" "images" {
  for_each   = var.images
  project    = each.value.project
  location   = each.value.location
  repository = each.value.repository
  role       = "roles/artifactregistry.reader"
  member     = local.bot
}

resource "google_secret_manager_secret" "own" {
  for_each  = var.secrets
  secret_id = each.value
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_iam_member" "own" {
  for_each  = google_secret_manager_secret.own
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.bot
}

# Slack cannot sign for IAM; the bot checks Slack's own signature. Not needed in Socket Mode.
resource "google_cloud_run_v2_service_iam_member" "slack" {
  count    = var.on_cloud_run ? 1 : 0
  project  = var.bot_project
  location = var.region
  name     = "release-bot"
  role     = "roles/run.invoker"
  member   = "allUsers"
}

output "bot" {
  description = "The bot's account: attach it to the machine or the service that the bot runs on."
  value       = google_service_account.bot.email
}
