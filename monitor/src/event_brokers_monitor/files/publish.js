// Publishes a test event, and follows it until the broker has confirmed it.

import { byId, make } from "./elements.js";
import { ask, tell } from "./server.js";
import { duration } from "./wording.js";

const PATIENCE = 60000; // milliseconds
const PAUSE = 250;

export class Publish {
  constructor() {
    this.destination = null;
    byId("publish").addEventListener("submit", (event) => {
      event.preventDefault();
      this.publish();
    });
  }

  choose(name) {
    this.destination = name;
  }

  async publish() {
    const steps = byId("publish-steps");
    steps.replaceChildren();
    const say = (text) => steps.append(make("li", {}, text));
    const destination = this.destination;
    const began = performance.now();
    try {
      const event = {
        sender_id: byId("publish-sender").value,
        event: byId("publish-type").value,
        timestamp: Date.now() / 1000,
        text: byId("publish-text").value,
      };
      const { id } = await tell("publish", { destination, event });
      say(`Accepted as ${id}; it is safe where events wait.`);
      say(await follow(destination, id, began));
    } catch (error) {
      say(error.message);
    }
  }
}

async function follow(destination, id, began) {
  while (performance.now() - began < PATIENCE) {
    const found = await ask("whereabouts", { destination, id });
    const after = duration((performance.now() - began) / 1000);
    if (found.where === "left") return `Delivered: the broker has confirmed it within ${after}.`;
    if (found.where === "dead letter") return `A dead letter after ${after}: ${found.reason}`;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return "It still waits after a minute; it will be delivered when delivery goes on.";
}
