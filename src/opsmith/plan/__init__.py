"""plan: takes a Task or an Incident, gives a Plan; judge(Plan) gives a Judgement."""
