"""The generated state of a sandbox."""

from tingting_async.sandbox import Sandbox


def test_same_seed() -> None:
    """The same seed generates the same campaigns, another seed generates others."""
    first, again, other = (Sandbox(campaigns=20, seed=seed).world for seed in (1, 1, 2))
    names = [[campaign.name for campaign in world.campaigns.values()] for world in (first, again, other)]
    assert names[0] == names[1] != names[2]


def test_generated_names_are_nepali() -> None:
    """Generated campaigns have Nepali names, and their numbers have a value for each tag."""
    world = Sandbox(campaigns=40, numbers=2).world
    assert all("\u0900" <= campaign.name[0] <= "\u097f" for campaign in world.campaigns.values())
    assert {len(campaign.usable_tags) for campaign in world.campaigns.values()} == {0, 1, 2, 3, 4}
    for campaign in world.campaigns.values():
        assert ("{tags_name}" in campaign.message) == bool(campaign.usable_tags)
        for contact in campaign.contacts:
            assert list(contact.tags) == campaign.usable_tags
            assert all(contact.tags.values())
    assert world.side_effects == []


def test_reprs_hold_no_secret() -> None:
    """The reprs show no password, token or phone number."""
    sandbox = Sandbox(campaigns=1)
    world = sandbox.world
    contact = next(iter(world.contacts.values()))
    shown = repr([world.accounts, world.campaigns, contact, world.otps])
    for secret in (sandbox.password, sandbox.api_token, contact.number, world.owner.contact_number):
        assert secret not in shown
