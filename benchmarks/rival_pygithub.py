"""The loop that most scripts write with PyGithub: `rival_pygithub.py API TOKEN DATABASE`.

Repositories, their branches, the default branch's commits, pull requests and each one's reviews, all of them
every time. Its pause between requests is left out: it would only make it look slower.
"""

from __future__ import annotations

import sqlite3
import sys

from github import Auth, Github, GithubException
from github.Repository import Repository

TABLES = """
create table if not exists branches (repository int, name text, sha text, primary key (repository, name));
create table if not exists commits (sha text primary key, repository int, author text, at text, message text);
create table if not exists pulls (id int primary key, repository int, number int, state text, title text);
create table if not exists reviews (id int primary key, pull int, state text, at text);
"""


def main() -> None:
    api, token, path = sys.argv[1:]
    github = Github(
        auth=Auth.Token(token), base_url=api, per_page=100, seconds_between_requests=0, retry=None
    )
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    for repository in github.get_user().get_repos():
        _copy(repository, database)
        database.commit()
    database.close()
    github.close()


def _copy(repository: Repository, database: sqlite3.Connection) -> None:
    of = repository.id
    branches = [(of, b.name, b.commit.sha) for b in repository.get_branches()]
    database.executemany("insert or replace into branches values (?, ?, ?)", branches)
    try:
        commits = [
            (c.sha, of, c.commit.author.email, str(c.commit.author.date), c.commit.message)
            for c in repository.get_commits()
        ]
    except GithubException as error:
        if error.status != 409:  # an empty repository
            raise
        commits = []
    database.executemany("insert or replace into commits values (?, ?, ?, ?, ?)", commits)
    for pull in repository.get_pulls(state="all"):
        row = (pull.id, of, pull.number, pull.state, pull.title)
        database.execute("insert or replace into pulls values (?, ?, ?, ?, ?)", row)
        reviews = [(r.id, pull.id, r.state, str(r.submitted_at)) for r in pull.get_reviews()]
        database.executemany("insert or replace into reviews values (?, ?, ?, ?)", reviews)


if __name__ == "__main__":
    main()
