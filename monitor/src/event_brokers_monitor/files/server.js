// Asks the server that the page came from; addresses are relative, wherever it is mounted.

export async function ask(path, parameters) {
  return answered(await fetch(`api/${path}?${new URLSearchParams(parameters)}`));
}

export async function tell(path, body) {
  return answered(
    await fetch(`api/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

async function answered(response) {
  const found = await response.json().catch(() => ({ error: `HTTP ${response.status}` }));
  if (!response.ok) throw new Error(found.error ?? `HTTP ${response.status}`);
  return found;
}
