variable "bot_project" {
  description = "Project that the bot itself runs in, with its secrets."
  type        = string
}

variable "region" {
  description = "Region of the bot."
  type        = string
  default     = "europe-west1"
}

variable "services" {
  description = "What the bot may deploy, as in the policy's `cloud_run:`; `runs_as` is the service's own account."
  type = map(object({
    project = string
    region  = string
    service = string
    runs_as = string
    public  = bool
  }))
  # { checkout-prod = { project = "acme-prod", region = "europe-west1", service = "checkout",
  #                     runs_as = "checkout@acme-prod.iam.gserviceaccount.com", public = true } }
}

variable "images" {
  description = "Image repositories of those services."
  type = map(object({
    project    = string
    location   = string
    repository = string
  }))
}

variable "secrets" {
  description = "The bot's own secrets, by name in Secret Manager; their values are put there by hand."
  type        = set(string)
  default = [
    "release-bot-database-url",
    "release-bot-slack-signing-secret",
    "release-bot-slack-bot-token",
    "release-bot-github-private-key",
    "release-bot-ledger-signing-key",
    "release-bot-policy",
  ]
}

variable "on_cloud_run" {
  description = "True once the bot's own Cloud Run service exists: Slack may then call it."
  type        = bool
  default     = false
}
